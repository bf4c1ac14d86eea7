"""Live updates: server-sent events that tell the page when to look again. They carry no data.

At each `changed` the page reads its list again, under the same rule of visibility as any other read. The
first `changed` comes as soon as the stream is open, so no change is lost between two streams. A viewer learns
neither contents nor moments of calls that the viewer may not see. A stream ends with its session, after ten
minutes at most, even if no client reads it any more.
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
from app.web.display.history_progress import Progress, take_progress
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
    """The moments at which a quiet stream sends a comment: by a clock of its own, not by the news that wake
    it.

    Else the moments of the comments would tell the viewer of calls that the viewer may not see.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._time = asyncio.get_running_loop().time
        self._at = self._time() + every_s

    @property
    def left_s(self) -> float:
        """Seconds until the next comment is due."""
        return max(0.0, self._at - self._time())

    def is_due(self) -> bool:
        """Whether a comment is due. If so, the next one is a whole interval later; missed ones
        are left out.
        """
        late_s = self._time() - self._at
        if late_s < 0:
            return False
        self._at += self._every_s * (late_s // self._every_s + 1)
        return True


@get("/live", include_in_schema=False)
async def follow_calls(parts: GivenParts, session: GivenSession) -> StreamedResponse:
    """The events for the page: `changed` (read again), `poll` (ask every 15 s instead), `expired` (renew the
    session).
    """
    headers = {**data_headers(), "X-Accel-Buffering": "no"}
    return StreamedResponse(_follow(parts, session), media_type="text/event-stream", headers=headers)


async def _follow(parts: WebParts, session: Session) -> AsyncIterator[bytes]:
    portal_id, user_id = session.portal.id, session.claims.user_id
    with parts.streams.join(portal_id, user_id) as stream:
        async with parts.changes.watch(portal_id) as watch:
            pulse: Pulse | None = None
            seen: tuple[Viewer, PortalSettings, Pulse, int, Progress] | None = None
            heartbeat = Heartbeat(parts.streams.recheck_s)
            while stream.ending is None:
                try:
                    current = await parts.sessions.renew(session.claims)
                    pulse = await take_pulse(current.viewer, parts.clock.now(), pulse)
                    progress = await take_progress(current.portal, parts.room)
                except Refusal:
                    yield EXPIRED
                    return
                except DATABASE_ERRORS:
                    return  # The page connects again, and reads again then.
                revision = parts.people.revision(current.portal)
                found = (current.viewer, current.settings, pulse, revision, progress)
                # Asked in each round, also when `changed` is sent. Else a comment would stay due while
                # changes come, `left_s` would stay 0, and this loop would run without a pause.
                is_due = heartbeat.is_due()
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
    """Sleep, so that at most one event is sent in this time; the end of the stream cuts it short."""
    try:
        async with asyncio.timeout(seconds):
            await stream.ended.wait()
    except TimeoutError:
        return


async def _wait(watch: Watch, stream: Stream, seconds: float) -> None:
    """Wait until there is news, the stream must end, or the session is to be checked again."""
    waits = [asyncio.create_task(watch.wait()), asyncio.create_task(stream.ended.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
