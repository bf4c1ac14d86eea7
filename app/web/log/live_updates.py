"""Live updates: server-sent events that say when to look, never what to see.

Level-triggered: the page looks again at each `changed` (the first comes on connecting) and takes what the
list is then, by the same rule as any other reading. So nothing is lost between two streams, and a stream
tells nobody anything about calls that are not theirs, nor when there is one. It ends with its session, after
ten minutes at most, also where nobody is left to read it.
"""

import asyncio
from collections.abc import AsyncIterator

from litestar import get
from litestar.response import Stream as StreamedResponse

from app.calls.log.logged_calls import Pulse, Viewer, take_pulse
from app.kit.messages.errors import Refusal
from app.kit.storage.database import DATABASE_ERRORS
from app.portals.news import Watch
from app.portals.settings.portal_settings import PortalSettings
from app.web.display.history_progress import Standing, take_standing
from app.web.http.live_streams import Stream
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import GivenSession
from app.web.http.security import data_headers
from app.web.http.sessions import Session

CHANGED = b"event: changed\ndata:\n\n"
EXPIRED = b"event: expired\ndata:\n\n"
POLL = b"event: poll\ndata:\n\n"
STILL_HERE = b": still here\n\n"


class Heartbeat:
    """When a quiet stream shows that it is there: by its own clock, whatever wakes it in between.

    News of calls that are not the viewer's would else be told by the moments of the comments.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._time = asyncio.get_running_loop().time
        self._at = self._time() + every_s

    @property
    def left_s(self) -> float:
        """Seconds until it is due."""
        return max(0.0, self._at - self._time())

    def is_due(self) -> bool:
        """Whether it is; then the next one is later, and those that were missed are not made up for."""
        late_s = self._time() - self._at
        if late_s < 0:
            return False
        self._at += self._every_s * (late_s // self._every_s + 1)
        return True


@get("/live", include_in_schema=False)
async def follow_calls(parts: GivenParts, session: GivenSession) -> StreamedResponse:
    """The events: `changed` (look again), `poll` (ask every 15 s instead), `expired` (renew the session)."""
    headers = {**data_headers(), "X-Accel-Buffering": "no"}
    return StreamedResponse(_follow(parts, session), media_type="text/event-stream", headers=headers)


async def _follow(parts: WebParts, session: Session) -> AsyncIterator[bytes]:
    portal_id, user_id = session.portal.id, session.claims.user_id
    with parts.streams.join(portal_id, user_id) as stream:
        async with parts.changes.watch(portal_id) as watch:
            pulse: Pulse | None = None
            seen: tuple[Viewer, PortalSettings, Pulse, int, Standing] | None = None
            heartbeat = Heartbeat(parts.streams.recheck_s)
            while stream.ending is None:
                try:
                    current = await parts.sessions.renew(session.claims)
                    pulse = await take_pulse(current.viewer, parts.clock.now(), pulse)
                    standing = await take_standing(current.portal, parts.room)
                except Refusal:
                    yield EXPIRED
                    return
                except DATABASE_ERRORS:
                    return  # The page connects again, and then it is told what it missed.
                revision = parts.people.revision(current.portal)
                found = (current.viewer, current.settings, pulse, revision, standing)
                is_due = heartbeat.is_due()  # Asked each time: one that stays due would leave no pause.
                if found != seen:
                    yield CHANGED
                elif is_due:
                    yield STILL_HERE
                seen = found
                await _sleep(stream, min(parts.streams.pause_of(portal_id), heartbeat.left_s))
                await _wait(watch, stream, heartbeat.left_s)
    if stream.ending == "superseded":
        yield POLL


async def _sleep(stream: Stream, seconds: float) -> None:
    """At most one event in this time; the end of the stream cuts it short."""
    try:
        async with asyncio.timeout(seconds):
            await stream.ended.wait()
    except TimeoutError:
        return


async def _wait(watch: Watch, stream: Stream, seconds: float) -> None:
    """Until something changed, the stream must end, or it is time to look at the session again."""
    waits = [asyncio.create_task(watch.wait()), asyncio.create_task(stream.ended.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
