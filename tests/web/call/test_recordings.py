"""Recordings: links that open one of them, and ranges of every kind from servers of every kind."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.bitrix24.transport import media as media_module
from app.bitrix24.transport.media import CHUNK_BYTES
from app.calls.log import recordings as recordings_module
from app.calls.statistics.progress.evidence_queries import want_reads
from app.calls.store import legs as legs_module
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.recordings import URL_KEY, make_recording, record_url
from app.demo.stand_in import StandIn
from app.scheduler import reconcile, run_job
from app.web.call.audio_stream import LONGEST_S, SHARE
from tests.calls.statistics_rows import make_row, read_portal
from tests.running import Callbook, FakeClock
from tests.web.browsing import Tab, install, open_tab
from tests.web.recording_server import Exchange, Source, serve_source
from tests.web.settings_forms import post_settings

WHOLE = make_recording()
LONG = bytes(range(256)) * 40_000  # More than what sockets and buffers hold on the way.
CRM = ("telephony", "placement", "user_brief", "crm")


@dataclass(frozen=True)
class Studio:
    """A portal with one recorded call, and its admin's tab."""

    callbook: Callbook
    portal: StandInPortal
    tab: Tab
    call_id: str
    row_id: int

    def change(self, **fields: Any) -> None:
        self.portal.change_row(self.row_id, **fields)

    async def link(self, tab: Tab | None = None, **parameters: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {(tab or self.tab).token}"}
        path = f"/api/v1/calls/{self.call_id}/recording"
        return await self.callbook.client.post(path, headers=headers, params=parameters)

    async def play(self, asked: str | None = None, method: str = "GET") -> httpx.Response:
        url = (await self.link()).json()["url"]
        headers = {"Range": asked} if asked else {}
        return await self.callbook.client.request(method, url, headers=headers)


@pytest.fixture
async def studio(callbook: Callbook, stand_in: StandIn) -> Studio:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    ended = await portal.end_call(phone_number="+12025550143", crm_activity_id=7001)
    row = ended.rows[0]
    portal.change_row(row.id, record_url=record_url(portal, "one"))
    await callbook.parts.histories.catch_up(await read_portal(portal))
    return Studio(callbook, portal, await open_tab(callbook, portal), ended.call_id, row.id)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with serve_source() as served:
        yield served


def settle_kind(studio: Studio, kind: str) -> None:
    """Where the recording lies: at an address, at the CRM activity, or on the Drive alone."""
    if kind != "url":
        studio.change(record_url="", record_file_id=501)
        studio.portal.installation.scope = [*CRM, *(["disk"] if kind == "drive" else [])]
    if kind == "drive":
        studio.change(crm_activity_id=None)


RANGES = [
    (None, 200, 0, len(WHOLE) - 1),
    ("bytes=0-1", 206, 0, 1),
    ("bytes=0-", 206, 0, len(WHOLE) - 1),
    ("bytes=1000-1999", 206, 1000, 1999),
    ("bytes=300000-", 206, 300_000, len(WHOLE) - 1),
    ("bytes=-500", 206, len(WHOLE) - 500, len(WHOLE) - 1),
    ("bytes=470000-999999999", 206, 470_000, len(WHOLE) - 1),
    ("bytes=0-1,5-6", 200, 0, len(WHOLE) - 1),
]


@pytest.mark.parametrize("kind", ["url", "crm", "drive"])
@pytest.mark.parametrize("understands_range", [True, False])
async def test_every_range_of_every_kind_of_recording_is_answered(
    studio: Studio, kind: str, *, understands_range: bool
) -> None:
    settle_kind(studio, kind)
    studio.portal.understands_range = understands_range
    for asked, status, first, last in RANGES:
        answer = await studio.play(asked)
        assert answer.status_code == status, asked
        assert answer.content == WHOLE[first : last + 1], asked
        assert answer.headers["content-length"] == str(last - first + 1)
        told = f"bytes {first}-{last}/{len(WHOLE)}" if status == 206 else None
        assert answer.headers.get("content-range") == told
        assert answer.headers["content-type"] == ("audio/wav" if kind == "drive" else "audio/x-wav")
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    beyond = await studio.play(f"bytes={len(WHOLE)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(WHOLE)}")
    head = await studio.play("bytes=0-1", "HEAD")
    assert (head.status_code, head.content, head.headers["content-length"]) == (206, b"", "2")
    assert studio.callbook.parts.audio_places.count == 0


async def test_the_drive_is_asked_last_and_not_again_without_its_scope(
    studio: Studio, clock: FakeClock
) -> None:
    settle_kind(studio, "crm")
    studio.portal.stand_in.fail("crm_show_file", code="ACCESS_DENIED", status=403)
    for _ in range(3):
        answer = await studio.play()
        assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable")
    assert studio.portal.counts["disk.file.get"] == 1
    studio.portal.installation.scope = list(CRM[:3])
    assert (await studio.play()).json()["code"] == "recording_not_found"
    assert (await studio.play()).json()["code"] == "recording_not_found"
    assert studio.portal.counts["crm.activity.get"] == 4
    clock.advance(3600)
    tab = await open_tab(studio.callbook, studio.portal)
    studio.portal.installation.scope = [*CRM, "disk"]
    url = (await studio.link(tab)).json()["url"]
    assert (await studio.callbook.client.get(url)).content == WHOLE


async def test_the_address_is_fetched_anew_for_each_play_and_told_to_nobody(
    studio: Studio, capfd: pytest.CaptureFixture[str]
) -> None:
    first = await studio.play("bytes=0-1")
    studio.change(record_url=record_url(studio.portal, "two"))
    await studio.play("bytes=0-1")
    paths = [request.path for request in studio.portal.stand_in.requests_with("/records/")]
    assert paths == ["/records/one.wav", "/records/two.wav"]
    link = await studio.link()
    studio.portal.stand_in.fail("record", code="NOT_FOUND", status=404)
    refused = await studio.play()
    assert refused.json()["code"] == "recording_unavailable"
    exchanges = await studio.callbook.run_sql("SELECT * FROM rest_exchanges")
    told = [str(first.headers), link.text, refused.text, str(exchanges), "".join(capfd.readouterr())]
    for secret in (URL_KEY, "/records/", *studio.portal.state.tokens):
        assert all(secret not in text for text in told)


async def test_an_expired_token_is_renewed_on_the_way(studio: Studio) -> None:
    settle_kind(studio, "crm")
    studio.portal.expire_access_tokens()
    assert (await studio.play("bytes=5-9")).content == WHOLE[5:10]


async def test_a_pair_that_a_listener_buys_serves_what_runs_by_itself_and_puts_its_next_one_off(
    studio: Studio, clock: FakeClock
) -> None:
    async def reconcile_with_evidence() -> None:
        portal_id = (await read_portal(studio.portal)).id
        await want_reads(studio.callbook.parts.database, [portal_id], clock.now())
        await run_job(studio.callbook.parts, "one", reconcile)
        await studio.callbook.settle()

    settle_kind(studio, "crm")
    clock.advance(7_200)
    operator = await open_tab(studio.callbook, studio.portal, user=12)
    url = (await studio.link(operator)).json()["url"]
    assert (await studio.callbook.client.get(url)).content == WHOLE
    assert studio.portal.counts["oauth.refresh"] == 1
    clock.advance(60)
    asked = studio.portal.counts["batch"]
    await reconcile_with_evidence()
    assert studio.portal.counts["batch"] > asked
    clock.advance(5 * 3600)
    asked = studio.portal.counts["batch"]
    await reconcile_with_evidence()
    assert (studio.portal.counts["batch"], studio.portal.counts["oauth.refresh"]) == (asked, 1)
    clock.advance(3600)
    await reconcile_with_evidence()
    assert studio.portal.counts["oauth.refresh"] == 2


async def test_a_link_is_in_no_log_when_the_database_is_away(
    studio: Studio, capfd: pytest.CaptureFixture[str]
) -> None:
    url = (await studio.link()).json()["url"]
    await studio.callbook.run_sql("ALTER TABLE calls RENAME TO gone")
    assert (await studio.callbook.client.get(url)).status_code == 503
    told = "".join(capfd.readouterr())
    assert "/audio/{token" in told
    assert url.rpartition("/")[2] not in told


# Who may listen


async def test_a_link_opens_one_recording_for_ten_minutes(studio: Studio, clock: FakeClock) -> None:
    answer = await studio.link()
    assert answer.json() == {"url": answer.json()["url"], "expires_in": 600}
    url = answer.json()["url"]
    clock.advance(599)
    assert (await studio.callbook.client.get(url)).status_code == 200
    clock.advance(1)
    late = await studio.callbook.client.get(url)
    assert (late.status_code, late.json()["code"]) == (403, "link_expired")


async def test_a_link_ends_with_the_installation_and_with_the_right_to_see_the_call(
    studio: Studio,
) -> None:
    operator = await open_tab(studio.callbook, studio.portal, user=12)
    url = (await studio.link(operator)).json()["url"]
    assert (await studio.callbook.client.get(url)).status_code == 200
    await studio.callbook.run_sql("UPDATE calls SET user_id = 18")
    assert (await studio.callbook.client.get(url)).json()["code"] == "recording_not_found"
    assert (await studio.link(operator)).status_code == 404
    url = (await studio.link()).json()["url"]
    assert (await studio.callbook.client.get(url)).status_code == 200
    await studio.portal.uninstall(clean=False)
    assert (await studio.callbook.client.get(url)).json()["code"] == "portal_uninstalled"
    await studio.portal.install(studio.callbook.url)
    await studio.callbook.settle()
    assert (await studio.callbook.client.get(url)).status_code == 401


async def test_a_link_of_an_administrator_is_one_no_longer_than_their_session(
    studio: Studio, clock: FakeClock
) -> None:
    """Only Bitrix24 knows who is one, and says so at each opening; the player asks for another link then."""
    assert (await post_settings(studio.tab, heads_see="own")).status_code == 200
    clock.advance(300)
    url = (await studio.link()).json()["url"]
    clock.advance(299)
    assert (await studio.callbook.client.get(url)).status_code == 200
    clock.advance(1)
    assert (await studio.callbook.client.get(url)).json()["code"] == "recording_not_found"
    studio.portal.state.users[1].is_admin = False
    again = await open_tab(studio.callbook, studio.portal)
    assert (await studio.link(again)).status_code == 404
    assert (await studio.link(await open_tab(studio.callbook, studio.portal, user=12))).status_code == 200


async def test_no_stream_lasts_longer_than_ten_minutes(
    studio: Studio, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly it is taken: whoever takes a little in each minute held one of few places for ever."""
    assert LONGEST_S == 600
    monkeypatch.setattr("app.web.call.audio_stream.LONGEST_S", 0.3)
    url = await lead_to(studio, source, drip_after(CHUNK_BYTES))
    async with asyncio.timeout(20):
        with pytest.raises(httpx.RemoteProtocolError):
            await studio.callbook.client.get(url)
        await until_free(studio)
        await source.exchanges[0].is_over.wait()


async def test_no_other_sealed_text_is_a_link_and_no_link_is_another(studio: Studio) -> None:
    url = (await studio.link()).json()["url"]
    sealed = url.rpartition("/")[2]
    row = (await studio.callbook.run_sql("SELECT * FROM portals WHERE id = 1"))[0]
    others = [studio.tab.token, row["access_token"], row["refresh_token"], "x", sealed[:-2], f"{sealed}A"]
    for other in others:
        answer = await studio.callbook.client.get(f"/audio/{other}")
        assert (answer.status_code, answer.json()["code"]) == (403, "link_expired"), other
    headers = {"Authorization": f"Bearer {sealed}"}
    assert (await studio.callbook.client.get("/api/v1/calls", headers=headers)).status_code == 401


@pytest.mark.parametrize("call_ids", [[""], ["full", "full"]])
async def test_a_row_that_has_a_name_of_ours_is_heard_by_its_id_user_and_start(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, call_ids: list[str]
) -> None:
    """Its CALL_ID cannot be read, or its call has no room; the portal knows no name of ours."""
    monkeypatch.setattr(legs_module, "MOST_SHOWN", 1)
    heard = record_url(studio.portal, "one")
    rows = [
        make_row(number, call_id=one, user_id=12, record_url=heard)
        for number, one in enumerate(call_ids, 101)
    ]
    studio.portal.state.statistics += rows
    row = rows[-1]
    await studio.callbook.parts.histories.catch_up(await read_portal(studio.portal))
    named = dataclasses.replace(studio, call_id=f"statistics.{row.id}", row_id=row.id)
    assert (await named.play()).content == WHOLE
    for name, value in (("user_id", 13), ("started_at", 1)):
        before = getattr(row, name)
        named.change(**{name: value})  # The id is another call's by now.
        assert (await named.play()).json()["code"] == "recording_not_found"
        named.change(**{name: before})
    assert (await named.play()).content == WHOLE


async def test_a_call_without_a_recording_has_no_link(studio: Studio) -> None:
    await studio.callbook.run_sql("UPDATE call_legs SET has_recording = false")
    answer = await studio.link()
    assert (answer.status_code, answer.json()["code"]) == (404, "recording_not_found")
    assert (await studio.link(leg=0)).status_code == 400
    assert (await studio.link(leg=2)).status_code == 404


# Servers that behave oddly


async def lead_to(studio: Studio, source: Source, behave: Any) -> str:
    source.behave = behave
    studio.change(record_url=source.url)
    url: str = (await studio.link()).json()["url"]
    return url


async def untold(exchange: Exchange) -> None:
    """A server that tells no length and knows no ranges."""
    await exchange.answer("200 OK", WHOLE, Content_Type="audio/mpeg")


async def told(exchange: Exchange) -> None:
    """A server that tells the length and knows no ranges."""
    await exchange.answer("200 OK", WHOLE, Content_Type="audio/mpeg", Content_Length=str(len(WHOLE)))


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
    assert len(source.exchanges) == 1 + 3 + 2  # The whole; asked, measured, skipped; asked, skipped.


async def test_little_is_read_to_be_thrown_away(
    studio: Studio, source: Source, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For 12 bytes a portal had us read 512 MiB, as often as somebody asked."""
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
    for advance_s, asked_count in ((0, 3), (0, 2), (601, 3)):  # Asked, perhaps measured, and the whole.
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
    async with asyncio.timeout(20):
        while len(source.exchanges) < 3 + 1:  # noqa: ASYNC110  The source tells nobody.
            await asyncio.sleep(0)
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(source.exchanges) == 3 + 1
    may_end.set()
    assert {answer.content for answer in await asyncio.gather(*asking)} == {WHOLE[:2]}
    assert len(source.exchanges) == 3 + 1 + 3


def drip_after(size: int) -> Any:
    """A server that sends so much at once, and the rest byte by byte for as long as somebody listens."""

    async def behave(exchange: Exchange) -> None:
        beginning = WHOLE[:size]
        await exchange.answer("200 OK", beginning, Content_Type="audio/mpeg", Content_Length=str(10**6))
        while not exchange.writer.is_closing():
            exchange.writer.write(b"x")
            await exchange.writer.drain()
            await asyncio.sleep(0)

    return behave


async def test_a_recording_that_comes_byte_by_byte_ends(
    studio: Studio, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a sentence where nothing was sent yet; and it costs no more than to wait for it."""
    monkeypatch.setattr(media_module, "OPEN_TIMEOUT_S", 0.3)
    answer = await studio.callbook.client.get(await lead_to(studio, source, drip_after(10)))
    assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable")
    assert "Try again in a minute" in answer.json()["detail"]
    monkeypatch.setattr(media_module, "OPEN_TIMEOUT_S", 60)
    monkeypatch.setattr(recordings_module, "FIND_TIMEOUT_S", 0.3)
    answer = await studio.callbook.client.get(await lead_to(studio, source, drip_after(10)))
    assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable")
    monkeypatch.setattr(recordings_module, "FIND_TIMEOUT_S", 60)
    monkeypatch.setattr(media_module, "CHUNK_TIMEOUT_S", 0.3)
    with pytest.raises(httpx.RemoteProtocolError):
        await studio.callbook.client.get(await lead_to(studio, source, drip_after(CHUNK_BYTES)))
    async with asyncio.timeout(20):
        for exchange in source.exchanges:
            await exchange.is_over.wait()
    await until_free(studio)


async def test_only_what_holds_sound_is_played_and_never_a_list_of_other_places(
    studio: Studio, source: Source
) -> None:
    """A type that is not known as sound is judged by its first bytes, so a new one plays."""
    mp3 = b"ID3\x04" + bytes(5_000)
    for kind, body, told in (
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
        assert answer.status_code == (200 if told else 503), (kind, body[:10])
        if told:
            assert (answer.headers["content-type"], answer.content) == (told, body)


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
    """A server that answers another part than the one that was asked for."""
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
    """Where private addresses are admitted it could be anything: an answer of a neighbour's own API."""
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


async def test_a_listener_who_leaves_ends_the_request_to_the_portal(studio: Studio, source: Source) -> None:
    """And while they do not read, no more is fetched than what the way to them holds."""

    async def behave(exchange: Exchange) -> None:
        await exchange.answer("200 OK", LONG, Content_Type="audio/mpeg", Content_Length=str(len(LONG)))

    url = await lead_to(studio, source, behave)
    async with studio.callbook.client.stream("GET", url) as answer:
        assert answer.status_code == 200
        exchange = source.exchanges[0]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await exchange.is_over.wait()
        assert exchange.written < len(LONG)
        assert studio.callbook.parts.audio_places.count == 1
    async with asyncio.timeout(10):
        await exchange.is_over.wait()
    assert exchange.written < len(LONG)
    await until_free(studio)


async def until_free(studio: Studio) -> None:
    async with asyncio.timeout(10):
        while studio.callbook.parts.audio_places.count:  # noqa: ASYNC110  Nothing announces it.
            await asyncio.sleep(0.01)


async def test_a_listener_who_leaves_before_the_first_byte_is_noticed_too(
    studio: Studio, source: Source
) -> None:
    waiting = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        waiting.set()
        await asyncio.Event().wait()

    url = await lead_to(studio, source, behave)
    request = asyncio.create_task(studio.callbook.client.get(url))
    await waiting.wait()
    assert studio.callbook.parts.audio_places.count == 1
    request.cancel()
    await until_free(studio)


async def test_nobody_plays_more_than_four_at_once(studio: Studio, source: Source) -> None:
    started = asyncio.Semaphore(0)

    async def behave(exchange: Exchange) -> None:
        started.release()
        await asyncio.Event().wait()

    url = await lead_to(studio, source, behave)
    requests = [asyncio.create_task(studio.callbook.client.get(url)) for _ in range(SHARE.per_user)]
    for _ in requests:
        await started.acquire()
    refused = await studio.callbook.client.get(url)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == "5"
    assert "Stop one" in refused.json()["detail"]
    for request in requests:
        request.cancel()
    await until_free(studio)
    source.behave = untold
    assert (await studio.callbook.client.get(url)).status_code == 200


# Transcripts


async def test_a_transcript_is_shown_to_who_may_see_the_call(studio: Studio) -> None:
    studio.portal.installation.scope = list(CRM)
    studio.portal.state.transcripts["7001"] = "Good morning <b>you</b>"
    operator = await open_tab(studio.callbook, studio.portal, user=12)
    other = await open_tab(studio.callbook, studio.portal, user=18)
    path = f"/log/calls/{studio.call_id}/transcript"
    for tab in (studio.tab, operator):
        assert "Good morning &lt;b&gt;you&lt;/b&gt;" in (await tab.get(path)).text
    assert (await other.get(path)).status_code == 404
    assert "data-transcript" in (await studio.tab.get(f"/log/calls/{studio.call_id}")).text


async def test_nobody_spends_their_portal_s_requests_on_looks(studio: Studio, clock: FakeClock) -> None:
    """Thirty a minute are enough for a person: the portal admits two a second to everything we do."""
    path = f"/log/calls/{studio.call_id}/transcript"
    statuses = [(await studio.tab.get(path)).status_code for _ in range(40)]
    assert statuses == [*[200] * 30, *[429] * 10]
    clock.advance(31 * 86_400)
    studio.portal.counts.clear()
    tab = await open_tab(studio.callbook, studio.portal, user=12)
    statuses = [(await tab.get(path)).status_code for _ in range(30)]
    assert (await tab.get(f"/log/calls/{studio.call_id}", fresh="1")).status_code == 200
    assert studio.portal.counts["batch"] == 0
    assert statuses == [200] * 30


async def test_a_transcript_that_apps_cannot_read_is_said_to_be_one(studio: Studio) -> None:
    """For want of the scope, which is noticed and not tried again; of the text; of the activity."""
    path = f"/log/calls/{studio.call_id}/transcript"
    studio.portal.installation.scope.remove("crm")
    for _ in range(2):
        assert "No transcript is readable by apps" in (await studio.tab.get(path)).text
    assert studio.portal.counts["crm.activity.call.getTranscript"] == 1
    studio.change(transcript_id=40)
    await studio.callbook.parts.histories.catch_up(await read_portal(studio.portal))
    assert "it is not readable by apps" in (await studio.tab.get(path)).text
    await studio.callbook.run_sql("UPDATE calls SET crm_activity_id = NULL")
    panel = (await studio.tab.get(f"/log/calls/{studio.call_id}")).text
    assert "it is not readable by apps" in panel
    assert "data-transcript" not in panel


# Late facts


async def test_an_old_call_is_read_anew_when_it_is_looked_at(studio: Studio, clock: FakeClock) -> None:
    path = f"/log/calls/{studio.call_id}"
    assert "data-old" not in (await studio.tab.get(path)).text
    clock.advance(40 * 86_400)
    tab = await open_tab(studio.callbook, studio.portal)
    await studio.callbook.settle()
    studio.change(vote=4, comment="A pleasant caller")
    assert "data-old" in (await tab.get(path)).text
    assert "A pleasant caller" not in (await tab.get(path)).text
    fresh = (await tab.get(path, fresh="1")).text
    assert "A pleasant caller" in fresh
    assert 'aria-label="4 of 5"' in fresh
