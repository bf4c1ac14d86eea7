"""Recordings, read from their server in chunks and kept nowhere. The guard of all outbound requests checks
their addresses too. An address holds tokens, so no address stands in an error, a repr or the record of
requests.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx

from app.bitrix24.errors import AddressRefused, Unreachable
from app.bitrix24.transport.address_policy import AddressPolicy
from app.kit.byte_ranges import AskedRange, Span, UnsatisfiableError, parse_content_range, parse_unsatisfied

CHUNK_BYTES = 65_536
MAX_BYTES = 512 * 1024 * 1024
MAX_HOPS = 5
OPEN_TIMEOUT_S = 20.0
# One chunk in this time is 3 KB a second. Telephone sound has 1 to 16 KB a second, and servers send it as
# fast as they can.
CHUNK_TIMEOUT_S = 20.0
MEASURE_TIMEOUT_S = 60.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Types that browsers play, without playlists (audio/x-mpegurl, audio/x-scpls): a playlist makes the
# listener's browser request any other address.
_PLAYED = frozenset(
    {
        *("audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/x-mpeg", "audio/mpeg3", "audio/x-mpeg-3"),
        *("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/x-pn-wav"),
        *("audio/ogg", "application/ogg", "audio/opus", "audio/webm", "audio/flac", "audio/x-flac"),
        *("audio/mp4", "audio/m4a", "audio/x-m4a", "audio/aac", "audio/aacp", "audio/x-aac", "audio/3gpp"),
    }
)
# Types that file servers give to unknown files. The first bytes of such a file must be those of a recording,
# as with any type of sound that is not in _PLAYED.
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/force-download"})
_PLAYLISTS = (b"#EXTM3U", b"[playlist]", b"<")
_MAX_DIGITS = 18  # A number of so many digits fits 64 bits.
# The second byte of an MPEG audio frame of layer III, with and without a checksum, of versions 1, 2 and 2.5.
_MP3_FRAMES = frozenset(bytes((second,)) for second in (0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3))
HEAD_BYTES = 12


def recognise_audio(beginning: bytes) -> str:
    """The type of a recording by its first bytes; raises Unreachable when they are no recording's.

    Bitrix24 takes WAV and MP3 (api-reference/telephony/telephony-external-call-attach-record.md); an address
    from an outside application may lead to the other types that browsers play.
    """
    if beginning.startswith(b"ID3") or (beginning[:1] == b"\xff" and beginning[1:2] in _MP3_FRAMES):
        return "audio/mpeg"
    if beginning.startswith(b"RIFF") and beginning[8:12] == b"WAVE":
        return "audio/wav"
    if beginning.startswith(b"OggS"):
        return "audio/ogg"
    if beginning[4:8] == b"ftyp":
        return "audio/mp4"
    raise Unreachable("the server sent something other than audio")


class Media:
    """An open answer: the whole recording, or the requested part of it (`is_part`).

    `span` is the range of its bytes; None when the server sends the whole and does not tell the length.
    `media_type` is empty when its server does not tell it.
    """

    def __init__(self, response: httpx.Response, media_type: str, span: Span | None) -> None:
        self.media_type = media_type
        self.span = span
        self.is_part = response.status_code == httpx.codes.PARTIAL_CONTENT
        self._response = response
        self._chunks = response.aiter_raw(CHUNK_BYTES)
        self._first = b""

    def __repr__(self) -> str:
        """Type and range only: the address holds a token."""
        return f"Media(media_type={self.media_type!r}, span={self.span!r})"

    async def read(self) -> AsyncIterator[bytes]:
        """The bytes in chunks of at most 64 KiB, each read when the caller takes it; raises Unreachable."""
        size = 0
        while chunk := await self._next():
            size += len(chunk)
            if size > MAX_BYTES:
                raise Unreachable("the recording is too large")
            yield chunk
        if self.span is not None and size < self.span.length:
            raise Unreachable("the recording was cut off")

    async def peek(self) -> bytes:
        """The first chunk, which `read` will give again; call it before `read`. Raises Unreachable."""
        self._first = self._first or await self._next()
        return self._first

    async def _next(self) -> bytes:
        """The next chunk; empty at the end. Raises Unreachable."""
        chunk, self._first = self._first, b""
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                return chunk or await anext(self._chunks, b"")
        except TimeoutError:
            raise Unreachable("the recording comes too slowly") from None
        except httpx.HTTPError as error:
            raise Unreachable(f"the recording was cut off: {type(error).__name__}") from None

    async def close(self) -> None:
        """Close the connection, even before its end."""
        await self._response.aclose()


class MediaClient:
    """Opens recordings; `http` is a client for "portals" that is used for nothing else."""

    def __init__(self, http: httpx.AsyncClient, policy: AddressPolicy) -> None:
        self._http = http
        self._policy = policy

    async def open(self, url: str, asked: AskedRange | None) -> Media:
        """Request a range or the whole, and return the server's answer; it may be the whole in both cases.

        Raises Unreachable when the answer is no recording, AddressRefused, and UnsatisfiableError when the
        server says so.
        """
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                media = await self._open(url, asked)
                try:
                    await self._judge_beginning(media, url)
                except BaseException:
                    await media.close()
                    raise
                return media
        except TimeoutError:
            raise Unreachable("the recording's server did not answer in time") from None

    async def _open(self, url: str, asked: AskedRange | None) -> Media:
        response = await self._follow(url, asked)
        try:
            return _read_head(response, asked)
        except BaseException:
            await response.aclose()
            raise

    async def _judge_beginning(self, media: Media, url: str) -> None:
        """Wait for the first chunk, and set the type by its first bytes when the server told none. Raises
        Unreachable. Until the first chunk has come, Callbook can still answer with a sentence that tells
        the reason; later it can only break off its answer.
        """
        first = await media.peek()
        if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLISTS):
            raise Unreachable("the server sent something other than audio")
        if media.media_type:
            return
        if media.span is None or not media.is_part or media.span.has_first(HEAD_BYTES):
            media.media_type = recognise_audio(first)
            return
        beginning = await self._open(
            url, AskedRange(0, HEAD_BYTES - 1)
        )  # A second request, for the first bytes.
        try:
            media.media_type = recognise_audio(await beginning.peek())
        finally:
            await beginning.close()

    async def measure(self, url: str, most_bytes: int) -> int:
        """The length of a recording. When its server does not tell it, the whole is read and dropped. Raises
        Unreachable, also for a recording longer than `most_bytes`.
        """
        media = await self.open(url, None)
        try:
            if media.span is not None:
                return media.span.total
            size = 0
            async with asyncio.timeout(MEASURE_TIMEOUT_S):
                async for chunk in media.read():
                    size += len(chunk)
                    if size > most_bytes:
                        raise Unreachable("the recording is too long to be measured")
            return size
        except TimeoutError:
            raise Unreachable("the recording could not be measured in time") from None
        finally:
            await media.close()

    async def _follow(self, url: str, asked: AskedRange | None) -> httpx.Response:
        """The answer behind all redirects. Each address is checked, because a redirect may lead anywhere."""
        was_https = False
        for _ in range(MAX_HOPS):
            url = self._policy.check_file(url)
            if was_https and not url.startswith("https:"):
                raise AddressRefused("The recording's address leads from https to http.")
            was_https = url.startswith("https:")
            response = await self._send(url, asked)
            if response.status_code not in _REDIRECTS:
                return response
            await response.aclose()
            url = _join(url, response.headers.get("location", ""))
        raise Unreachable("the recording's address leads from one place to the next")

    async def _send(self, url: str, asked: AskedRange | None) -> httpx.Response:
        headers = {"Accept": "audio/*, application/octet-stream;q=0.5"}
        if asked is not None:
            headers["Range"] = asked.header
        timeout = httpx.Timeout(OPEN_TIMEOUT_S)
        try:
            request = self._http.build_request("GET", url, headers=headers, timeout=timeout)
            return await self._http.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"no recording: {type(error).__name__}") from None


def _join(url: str, location: str) -> str:
    try:
        return str(httpx.URL(url).join(location).copy_with(fragment=None))
    except (httpx.InvalidURL, ValueError):
        raise Unreachable("the recording's address leads to none") from None


def _read_head(response: httpx.Response, asked: AskedRange | None) -> Media:
    """The answer as Media, judged by its head; raises Unreachable or UnsatisfiableError."""
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and asked is not None:
        total = parse_unsatisfied(response.headers.get("content-range"))
        if total is not None and total <= MAX_BYTES:
            raise UnsatisfiableError(total)
    if response.status_code not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
        raise Unreachable(f"no recording: HTTP {response.status_code}", response.status_code)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unreachable("the recording is compressed, which was not asked for")
    media_type = _read_type(response.headers.get("content-type", ""))
    if response.status_code == httpx.codes.PARTIAL_CONTENT:
        span = parse_content_range(response.headers.get("content-range"))
        if asked is None or span is None:
            raise Unreachable("a part of the recording came without its range")
        _check_length(span.total)
        return Media(response, media_type, span)
    text = response.headers.get("content-length", "")
    is_told = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    length = int(text) if is_told else 0
    _check_length(length)
    return Media(response, media_type, Span(0, length - 1, length) if length else None)


def _check_length(length: int) -> None:
    if length > MAX_BYTES:
        raise Unreachable("the recording is too large")


def _read_type(header: str) -> str:
    """The type, if browsers play it; empty when the first bytes are to decide. Raises Unreachable for any
    other type: a page of HTML, sent on from our own origin, could do anything there.
    """
    media_type = header.partition(";")[0].strip().lower()
    if media_type in _PLAYED:
        return media_type
    if media_type in _UNTOLD or media_type.startswith("audio/"):
        return ""
    raise Unreachable("the server sent something other than audio")
