"""Recordings of calls, fetched from the portal for each play and stored nowhere (decision 0019)."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator

import structlog

from app.bitrix24.errors import AddressRefused, BitrixError, Unreachable
from app.bitrix24.media import Media, MediaClient
from app.bitrix24.network import on_behalf_of
from app.bitrix24.recordings import fetch_transcript, list_addresses
from app.bitrix24.rest import PortalClient
from app.calls.reading import Viewer
from app.calls.recording_queries import select_recorded_legs
from app.kit.byte_ranges import AskedRange, Span, UnsatisfiableError
from app.kit.clock import Clock
from app.kit.errors import Refusal, Unavailable
from app.kit.words import N_
from app.portals.access import PortalAccess
from app.portals.model import Portal

log = structlog.get_logger(__name__)
DENIED_S = 3600  # A scope that was missing may have been granted since.
MAX_REMEMBERED = 1_000
FIND_TIMEOUT_S = 90.0  # Several addresses are tried, and one may be measured for a minute.


class RecordingNotFound(Refusal):
    """The statistics name no recording, or the portal gives none of the places where it could lie."""

    status = 404
    code = "recording_not_found"
    message = N_("This call has no recording, or Bitrix24 does not give it to Callbook.")


class RecordingUnavailable(Unavailable):
    """A recording is there, but its server does not send it."""

    code = "recording_unavailable"
    message = N_("Bitrix24 does not send this recording just now. Try again in a minute.")


class Playback:
    """What is sent of a recording: `span` of it, or with None a whole of unknown length."""

    def __init__(self, media: Media, span: Span | None, *, skips: int = 0) -> None:
        self.media_type = media.media_type
        self.span = span
        self._media = media
        self._skips = skips

    async def read(self) -> AsyncIterator[bytes]:
        """The bytes in chunks, none of which is kept; raises Unreachable when its server cuts it off."""
        to_skip, left = self._skips, None if self.span is None else self.span.length
        async for chunk in self._media.read():
            wanted = chunk[to_skip:] if to_skip else chunk
            to_skip -= len(chunk) - len(wanted)
            if left is not None:
                wanted = wanted[:left]
                left -= len(wanted)
            if wanted:
                yield wanted
            if left == 0:
                return
        if left:
            raise Unreachable("the recording is shorter than its server said")

    async def close(self) -> None:
        """Let its server go, at once."""
        await self._media.close()


class Recordings:
    """Opens recordings with the portal's stored token, for viewers who may see the call."""

    def __init__(self, access: PortalAccess, media: MediaClient, clock: Clock) -> None:
        self._access = access
        self._media = media
        self._clock = clock
        self._denied: OrderedDict[tuple[int, int], tuple[int, set[str]]] = OrderedDict()
        self._lengths: OrderedDict[tuple[int, int, int], int] = OrderedDict()

    @staticmethod
    async def list_recorded(viewer: Viewer, call_id: str) -> list[int]:
        """The recorded legs of a call that the viewer may see, as ids of the portal's statistics."""
        return await select_recorded_legs(viewer.portal_id, viewer.sees, call_id)

    async def open(self, portal: Portal, statistics_id: int, asked: AskedRange | None) -> Playback:
        """Find the recording anew and open the part that is asked for; close what this gives.

        Raises a Refusal (404, 409 or 503) or UnsatisfiableError.
        """

        async def work(client: PortalClient, access_token: str) -> Playback:
            with on_behalf_of(portal.member_id):
                try:
                    async with asyncio.timeout(FIND_TIMEOUT_S):
                        return await self._find(portal, statistics_id, asked, client, access_token)
                except TimeoutError:
                    raise RecordingUnavailable from None

        try:
            return await self._access.use(portal, work)
        except (BitrixError, AddressRefused) as error:
            log.info("recording not found", portal_id=portal.id, code=error.code)
            raise RecordingNotFound from None

    async def read_transcript(self, portal: Portal, activity_id: int) -> str | None:
        """The transcript of the call with this CRM activity, where apps can read one; a Refusal (409, 503).

        The stored token asks for it: only for a call that the viewer may see.
        """

        async def work(client: PortalClient, access_token: str) -> str | None:
            return await fetch_transcript(client, access_token, activity_id, self._denied_to(portal))

        try:
            return await self._access.use(portal, work)
        except (BitrixError, AddressRefused):
            return None

    async def _find(
        self,
        portal: Portal,
        statistics_id: int,
        asked: AskedRange | None,
        client: PortalClient,
        access_token: str,
    ) -> Playback:
        is_anywhere = False
        async for url in list_addresses(client, access_token, statistics_id, self._denied_to(portal)):
            is_anywhere = True
            try:
                return await self._open(url, asked, (portal.id, portal.generation, statistics_id))
            except (Unreachable, AddressRefused) as error:
                log.info("recording not opened", portal_id=portal.id, reason=str(error))
        raise RecordingUnavailable if is_anywhere else RecordingNotFound

    async def _open(self, url: str, asked: AskedRange | None, key: tuple[int, int, int]) -> Playback:
        media = await self._media.open(url, asked)
        try:
            if asked is None:
                return Playback(media, media.span)
            if media.is_part and media.span is not None:
                wanted = asked.resolve(media.span.total)
                if media.span.first == wanted.first:
                    last = min(media.span.last, wanted.last)
                    return Playback(media, Span(wanted.first, last, wanted.total))
            if not media.is_part and media.span is not None:
                span = asked.resolve(media.span.total)
                return Playback(media, span, skips=span.first)
        except UnsatisfiableError:
            await media.close()
            raise
        await media.close()
        return await self._open_measured(url, asked, key)

    async def _open_measured(self, url: str, asked: AskedRange, key: tuple[int, int, int]) -> Playback:
        """From a server that tells no length, or answers another part: the whole, less what was not asked."""
        total = self._lengths.get(key)
        if total is None:
            total = self._lengths[key] = await self._media.measure(url)
            if len(self._lengths) > MAX_REMEMBERED:
                self._lengths.popitem(last=False)
        span = asked.resolve(total)
        return Playback(await self._media.open(url, None), span, skips=span.first)

    def _denied_to(self, portal: Portal) -> set[str]:
        """The methods for which this installation has no scope, as far as was seen within the hour."""
        key, now = (portal.id, portal.generation), self._clock.now()
        until, methods = self._denied.get(key, (0, set()))
        if until <= now:
            self._denied[key] = until, methods = now + DENIED_S, set()
            if len(self._denied) > MAX_REMEMBERED:
                self._denied.popitem(last=False)
        return methods
