"""Servers of recordings that tell no length, or send another part, another type, or another place."""

import asyncio

import httpx
import pytest

from app.bitrix24.transport.media import CHUNK_BYTES
from app.calls.log import recordings as recordings_module
from tests.patience import wait_until
from tests.running import FakeClock
from tests.web.browsing import open_tab
from tests.web.call.studio import (
    WHOLE,
    Studio,
    lead_to,
    told,
    untold,
)
from tests.web.recording_server import Exchange, Source


async def test_a_recording_of_untold_length_is_measured_once(studio: Studio, source: Source) -> None:
    url = await lead_to(studio, source, untold)
    whole = await studio.callbook.client.get(url)
    assert (whole.status_code, whole.content) == (200, WHOLE)
    assert "content-length" not in whole.headers
    for asked, first, last in (("bytes=0-1", 0, 1), ("bytes=-9", len(WHOLE) - 9, len(WHOLE) - 1)):
        answer = await studio.callbook.client.get(url, headers={"Range": asked})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(WHOLE)}"
        assert answer.content == WHOLE[first : last + 1]
    assert len(source.exchanges) == 1 + 3 + 2  # The whole; a question, a measure, a skip; a question, a skip.


async def test_little_is_read_to_be_thrown_away(
    studio: Studio, source: Source, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A portal once made Callbook read 512 MiB for 12 bytes, at each request."""
    assert recordings_module.MOST_SKIPPED == 32 * 1024 * 1024
    monkeypatch.setattr(recordings_module, "MOST_SKIPPED", 1_000)
    url = await lead_to(studio, source, told)
    for asked, status, content in (
        ("bytes=1000-1009", 206, WHOLE[1_000:1_010]),
        ("bytes=1001-1009", 200, WHOLE),
        ("bytes=-9", 200, WHOLE),
    ):
        answer = await studio.callbook.client.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, content)
        assert answer.headers["content-length"] == str(len(content))
        assert ("content-range" in answer.headers) == (status == 206)
    source.behave = untold
    for advance_s, asked_count in ((0, 3), (0, 2), (601, 3)):  # A question, perhaps a measure, and the whole.
        clock.advance(advance_s)
        source.exchanges.clear()
        link = await studio.link(await open_tab(studio.callbook, studio.portal))
        answer = await studio.callbook.client.get(link.json()["url"], headers={"Range": "bytes=5-9"})
        assert (answer.status_code, answer.content) == (200, WHOLE)
        assert len(source.exchanges) == asked_count


async def test_one_recording_of_a_portal_is_measured_at_a_time(studio: Studio, source: Source) -> None:
    may_end = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        await exchange.answer("200 OK", WHOLE[:CHUNK_BYTES], Content_Type="audio/mpeg")
        await may_end.wait()

    url = await lead_to(studio, source, behave)
    asking = [
        asyncio.create_task(studio.callbook.client.get(url, headers={"Range": "bytes=0-1"})) for _ in range(3)
    ]
    await wait_until(lambda: len(source.exchanges) >= 3 + 1)
    may_end.set()
    assert {answer.content for answer in await asyncio.gather(*asking)} == {WHOLE[:2]}
    assert len(source.exchanges) == 3 + 1 + 3  # Each asked and skipped; one measured for all.


async def test_only_what_holds_sound_is_played_and_never_a_list_of_other_places(
    studio: Studio, source: Source
) -> None:
    """The first bytes decide about a type that is not known as sound, so a new type plays."""
    mp3 = b"ID3\x04" + bytes(5_000)
    for kind, body, shown in (
        ("audio/mpeg", mp3, "audio/mpeg"),
        ("audio/x-new", mp3, "audio/mpeg"),
        ("audio/x-mpegurl", mp3, "audio/mpeg"),
        ("audio/x-mpegurl", b"#EXTM3U\nhttps://example.com/", None),
        ("audio/mpegurl", b"https://example.com/a.mp3", None),
        ("audio/x-scpls", b"[playlist]\nFile1=https://example.com/", None),
        ("audio/mpeg", b"\xef\xbb\xbf\n#EXTM3U\nhttps://example.com/", None),
        ("audio/mpeg", b"[playlist]\nFile1=https://example.com/", None),
        ("audio/mpeg", b"<asx version='3'>", None),
    ):

        async def behave(exchange: Exchange, kind: str = kind, body: bytes = body) -> None:
            await exchange.answer("200 OK", body, Content_Type=kind, Content_Length=str(len(body)))

        answer = await studio.callbook.client.get(await lead_to(studio, source, behave))
        assert answer.status_code == (200 if shown else 503), (kind, body[:10])
        if shown:
            assert (answer.headers["content-type"], answer.content) == (shown, body)


async def test_lengths_that_no_recording_has_are_not_believed(studio: Studio, source: Source) -> None:
    for status, length, span in (
        ("200 OK", str(10**12), ""),
        ("206 Partial Content", "2", f"bytes 0-1/{10**17}"),
        ("206 Partial Content", str(10**17), f"bytes 0-{10**17 - 1}/{10**17}"),
        ("416 Range Not Satisfiable", "0", f"bytes */{10**17}"),
    ):

        async def behave(
            exchange: Exchange, status: str = status, length: str = length, span: str = span
        ) -> None:
            told = {"Content_Type": "audio/mpeg", "Content_Length": length, "Content_Range": span}
            await exchange.answer(status, b"xx" if length != "0" else b"", **told)

        url = await lead_to(studio, source, behave)
        answer = await studio.callbook.client.get(url, headers={"Range": "bytes=0-1"})
        assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable"), status


async def wrong_part(exchange: Exchange) -> None:
    """A server that answers with another part than the one that was asked for."""
    if exchange.range:
        await exchange.answer(
            "206 Partial Content",
            WHOLE[:10],
            Content_Type="audio/mpeg",
            Content_Range=f"bytes 0-9/{len(WHOLE)}",
        )
    else:
        await exchange.answer("200 OK", WHOLE, Content_Type="audio/mpeg", Content_Length=str(len(WHOLE)))


async def test_a_part_that_was_not_asked_for_is_not_passed_on(studio: Studio, source: Source) -> None:
    url = await lead_to(studio, source, wrong_part)
    answer = await studio.callbook.client.get(url, headers={"Range": "bytes=100-109"})
    assert answer.content == WHOLE[100:110]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 OK", {"Content_Type": "text/html; charset=utf-8"}),
        ("200 OK", {"Content_Type": "image/svg+xml"}),
        ("200 OK", {"Content_Type": "audio/mpeg", "Content_Encoding": "gzip"}),
        ("206 Partial Content", {"Content_Type": "audio/mpeg"}),
        ("404 Not Found", {"Content_Type": "audio/mpeg"}),
        ("302 Found", {"Location": "http://169.254.169.254/latest/meta-data"}),
        ("302 Found", {"Location": "ftp://files.example/x"}),
        ("302 Found", {"Location": "/again"}),
        ("302 Found", {}),
    ],
)
async def test_what_is_no_audio_or_leads_astray_is_not_passed_on(
    studio: Studio, source: Source, status: str, headers: dict[str, str]
) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.answer(status, b"<script>alert(1)</script>", **headers)

    answer = await studio.callbook.client.get(await lead_to(studio, source, behave))
    assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable")
    assert "script" not in answer.text
    assert len(source.exchanges) <= 5


BEGINNINGS = {
    b"ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00": "audio/mpeg",
    b"\xff\xfb\x90\x64\x00\x00\x00\x00\x00\x00\x00\x00": "audio/mpeg",
    WHOLE[:12]: "audio/wav",
    b"OggS\x00\x02\x00\x00\x00\x00\x00\x00": "audio/ogg",
    b"\x00\x00\x00\x20ftypM4A ": "audio/mp4",
    b'{"internal": "secret"}': None,
    b"\xff\xfe<\x00h\x00t\x00": None,
    b"": None,
}


@pytest.mark.parametrize("kind", ["application/octet-stream", "Binary/Octet-Stream", None])
@pytest.mark.parametrize("understands_range", [True, False])
async def test_a_file_of_no_told_type_is_a_recording_only_by_its_first_bytes(
    studio: Studio, source: Source, kind: str | None, *, understands_range: bool
) -> None:
    """If private addresses are allowed, the file could be anything, such as the answer of a neighbour's
    API.
    """
    headers = {"Content_Type": kind} if kind else {}
    for beginning, media_type in BEGINNINGS.items():
        body = beginning + bytes(5_000) if beginning else b""

        async def behave(exchange: Exchange, body: bytes = body) -> None:
            told = {**headers, "Content_Length": str(len(body))}
            if exchange.range is None or not understands_range or not body:
                await exchange.answer("200 OK", body, **told)
                return
            first, _, last = exchange.range.removeprefix("bytes=").partition("-")
            part = body[int(first) : int(last or len(body)) + 1]
            span = f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"
            told |= {"Content_Length": str(len(part)), "Content_Range": span}
            await exchange.answer("206 Partial Content", part, **told)

        url = await lead_to(studio, source, behave)
        for asked in ("bytes=0-", "bytes=0-1", "bytes=1000-1999", None):
            answer = await studio.callbook.client.get(url, headers={"Range": asked} if asked else {})
            if media_type is None:
                assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable")
            else:
                assert answer.headers["content-type"] == media_type
                first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
                assert answer.content == body[int(first) : int(last or len(body)) + 1]


async def test_redirects_are_followed_and_each_is_checked(studio: Studio, source: Source) -> None:
    async def behave(exchange: Exchange) -> None:
        if "moved" in exchange.head:
            await exchange.answer("200 OK", WHOLE, Content_Type="audio/ogg", Content_Length=str(len(WHOLE)))
        else:
            await exchange.answer("302 Found", Location="/moved", Content_Length="0")

    url = await lead_to(studio, source, behave)
    answer = await studio.callbook.client.get(url, headers={"Range": "bytes=2-3"})
    assert (answer.status_code, answer.content) == (206, WHOLE[2:4])
    assert [exchange.range for exchange in source.exchanges] == ["bytes=2-3"] * 2


async def test_a_recording_that_is_cut_off_ends_as_one(studio: Studio, source: Source) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.answer(
            "200 OK", WHOLE[:100_000], Content_Type="audio/mpeg", Content_Length=str(len(WHOLE))
        )

    url = await lead_to(studio, source, behave)
    with pytest.raises(httpx.RemoteProtocolError):
        await studio.callbook.client.get(url)
    assert studio.callbook.parts.audio_places.count == 0
