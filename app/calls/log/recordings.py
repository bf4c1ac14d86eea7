"""Recordings of calls, fetched from the portal for each play and stored nowhere (decision 0019)."""

import asyncio
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

import structlog

from app.bitrix24.errors import AddressRefused, BitrixError, Unreachable
from app.bitrix24.methods.recordings import RecordedLeg, fetch_transcript, list_addresses
from app.bitrix24.rest.portal_client import PortalClient
from app.bitrix24.transport.media import Media, MediaClient
from app.bitrix24.transport.network import on_behalf_of
from app.calls.log.log_queries import select_recorded_legs
from app.calls.log.logged_calls import Viewer
from app.kit.byte_ranges import AskedRange, Span, UnsatisfiableError
from app.kit.clock import Clock
from app.kit.fairness.budget import RecentlySeen
from app.kit.limited_memory import LimitedMemory
from app.kit.messages.errors import Refusal, Unavailable
from app.kit.messages.words import N_
from app.portals.model import Portal
from app.portals.outbound.access import PortalAccess
from app.portals.tokens.refresh_budget import Cause

log = structlog.get_logger(__name__)
DENIED_S = 3600  # Then the portal is asked again, because an administrator may have granted the scope.
MAX_REMEMBERED = 1_000
# How many bytes this process reads and throws away to reach a range, where a server knows no ranges: half an
# hour of WAV, hours of MP3. Where the range begins later, the listener gets the whole recording, so that no
# portal can make this process read more for nothing.
MOST_SKIPPED = 32 * 1024 * 1024
MEASURE_AGAIN_S = 600  # Meanwhile a recording that could not be measured is sent as a whole.
FIND_TIMEOUT_S = 90.0  # Several addresses are tried, and measuring at one may take a minute.


class RecordingNotFound(Refusal):
    """The statistics name no recording, or the portal gives no address of it."""

    status = 404
    code = "recording_not_found"
    message = N_("This call has no recording, or Bitrix24 does not give it to Callbook.")


class RecordingUnavailable(Unavailable):
    """There is a recording, but its server does not send it."""

    code = "recording_unavailable"
    message = N_("Bitrix24 is not sending this recording right now. Try again in a minute.")


class Playback:
    """The bytes of a recording that are sent to the listener.

    `span`: which bytes these are (None: all, and their number is unknown). `is_part`: they answer the range
    of the request. `skips`: how many bytes to throw away first. `turn`: the lock that lets one playback of a
    portal at a time throw bytes away.
    """

    def __init__(
        self,
        media: Media,
        span: Span | None,
        *,
        is_part: bool,
        skips: int = 0,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self.media_type = media.media_type
        self.span = span
        self.is_part = is_part
        self._media = media
        self._skips = skips
        self._turn = turn or asyncio.Lock()

    async def read(self) -> AsyncIterator[bytes]:
        """The bytes in chunks, none of which is kept; raises Unreachable when the server cuts them off."""
        left = None if self.span is None else self.span.length
        async for chunk in self._read_on():
            wanted = chunk
            if left is not None:
                wanted = chunk[:left]
                left -= len(wanted)
            if wanted:
                yield wanted
            if left == 0:
                return
        if left:
            raise Unreachable("the recording is shorter than its server said")

    async def _read_on(self) -> AsyncIterator[bytes]:
        """The bytes after those that are skipped."""
        chunks = self._media.read()
        if self._skips:
            async with self._turn:
                beginning = await _skip(chunks, self._skips)
            yield beginning
        async for chunk in chunks:
            yield chunk

    async def close(self) -> None:
        """Close the connection to the server at once."""
        await self._media.close()


async def _skip(chunks: AsyncIterator[bytes], to_skip: int) -> bytes:
    """Throw `to_skip` bytes away; return the rest of the chunk in which they end, empty if the bytes end
    before.
    """
    async for chunk in chunks:
        if len(chunk) > to_skip:
            return chunk[to_skip:]
        to_skip -= len(chunk)
    return b""


class Recordings:
    """Opens recordings with the portal's stored token, for viewers who may see the call."""

    def __init__(self, access: PortalAccess, media: MediaClient, clock: Clock) -> None:
        self._access = access
        self._media = media
        self._clock = clock
        self._denied = LimitedMemory[tuple[int, int], tuple[int, set[str]]](MAX_REMEMBERED)
        self._lengths = LimitedMemory[tuple[int, int, int], int](MAX_REMEMBERED)
        self._unmeasured = RecentlySeen(clock, MAX_REMEMBERED)
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()  # By portal.

    @staticmethod
    async def list_recorded(viewer: Viewer, call_id: str) -> list[RecordedLeg]:
        """The recorded legs of a call that the viewer may see, in the order in which they began."""
        return await select_recorded_legs(viewer.portal_id, viewer.sees, call_id)

    async def open(self, portal: Portal, leg: RecordedLeg, asked: AskedRange | None) -> Playback:
        """Find the recording's address and open the range that is asked for; the caller closes the playback.

        The address is asked for at each play. Raises a Refusal (404, 409 or 503) or UnsatisfiableError.
        """

        async def work(client: PortalClient, access_token: str) -> Playback:
            with on_behalf_of(portal.member_id):
                try:
                    async with asyncio.timeout(FIND_TIMEOUT_S):
                        return await self._find(portal, leg, asked, client, access_token)
                except TimeoutError:
                    raise RecordingUnavailable from None

        try:
            return await self._access.use(portal, work, Cause.PERSON)
        except (BitrixError, AddressRefused) as error:
            log.info("recording not found", portal_id=portal.id, code=error.code)
            raise RecordingNotFound from None

    async def read_transcript(self, portal: Portal, activity_id: int) -> str | None:
        """The transcript of the call with this CRM activity; None where apps cannot read one. Raises a
        Refusal (409, 503).

        It uses the portal's stored token, so call it only for a call that the viewer may see.
        """

        async def work(client: PortalClient, access_token: str) -> str | None:
            return await fetch_transcript(client, access_token, activity_id, self._denied_to(portal))

        try:
            return await self._access.use(portal, work, Cause.PERSON)
        except (BitrixError, AddressRefused):
            return None

    async def _find(
        self,
        portal: Portal,
        leg: RecordedLeg,
        asked: AskedRange | None,
        client: PortalClient,
        access_token: str,
    ) -> Playback:
        is_anywhere = False
        async for url in list_addresses(client, access_token, leg, self._denied_to(portal)):
            is_anywhere = True
            try:
                return await self._open(url, asked, (portal.id, portal.generation, leg.statistics_id))
            except (Unreachable, AddressRefused) as error:
                log.info("recording not opened", portal_id=portal.id, reason=str(error))
        raise RecordingUnavailable if is_anywhere else RecordingNotFound

    async def _open(self, url: str, asked: AskedRange | None, key: tuple[int, int, int]) -> Playback:
        media = await self._media.open(url, asked)
        try:
            if asked is None:
                return Playback(media, media.span, is_part=False)
            if media.is_part and media.span is not None:
                wanted = asked.resolve(media.span.total)
                if media.span.first == wanted.first:
                    last = min(media.span.last, wanted.last)
                    return Playback(media, Span(wanted.first, last, wanted.total), is_part=True)
            if not media.is_part and media.span is not None:
                return self._cut(media, asked.resolve(media.span.total), key)
        except UnsatisfiableError:
            await media.close()
            raise
        await media.close()
        return await self._open_measured(url, asked, key)

    async def _open_measured(self, url: str, asked: AskedRange, key: tuple[int, int, int]) -> Playback:
        """Open the range where the server tells no length or sends another range: this process cuts it out of
        the whole recording. If the length cannot be measured, the playback has the whole recording.
        """
        async with self._turn(key):
            total = await self._find_length(url, key)
        if total is None:
            return Playback(await self._media.open(url, None), None, is_part=False)
        span = asked.resolve(total)
        return self._cut(await self._media.open(url, None), span, key)

    def _cut(self, media: Media, span: Span, key: tuple[int, int, int]) -> Playback:
        """The part `span` of a whole recording; the whole recording if more than MOST_SKIPPED bytes come
        before the part.
        """
        if span.first > MOST_SKIPPED:
            return Playback(media, media.span, is_part=False)
        return Playback(media, span, is_part=True, skips=span.first, turn=self._turn(key))

    async def _find_length(self, url: str, key: tuple[int, int, int]) -> int | None:
        """The recording's length in bytes, measured once; None within ten minutes of a failure."""
        if key in self._lengths:
            return self._lengths[key]
        name = "/".join(map(str, key))
        if name in self._unmeasured:
            return None
        # Noted before the measuring, because a listener who leaves cancels it.
        self._unmeasured.remember(name, MEASURE_AGAIN_S)
        try:
            total = await self._media.measure(url, MOST_SKIPPED)
        except Unreachable as error:
            log.info("recording not measured", portal_id=key[0], reason=str(error))
            return None
        self._lengths[key] = total
        return total

    def _turn(self, key: tuple[int, int, int]) -> asyncio.Lock:
        """The lock of the recording's portal."""
        portal_id = key[0]
        turn = self._turns.get(portal_id)
        if turn is None:
            turn = self._turns[portal_id] = asyncio.Lock()
        return turn

    def _denied_to(self, portal: Portal) -> set[str]:
        """The methods that the portal denied to this installation within the last hour, because it lacks a
        scope.
        """
        key, now = (portal.id, portal.generation), self._clock.now()
        until, methods = self._denied.get(key, (0, set()))
        if until <= now:
            self._denied[key] = until, methods = now + DENIED_S, set()
        return methods
