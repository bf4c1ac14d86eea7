"""Recordings: every range of every kind, and the requests to the portal that each play costs."""

import dataclasses

import pytest

from app.calls.statistics.progress.evidence_queries import want_reads
from app.calls.store import legs as legs_module
from app.demo.recordings import URL_KEY, record_url
from app.scheduler import reconcile, run_job
from tests.calls.statistics_rows import make_row, read_portal
from tests.running import FakeClock
from tests.web.browsing import open_tab
from tests.web.call.studio import CRM, WHOLE, Studio, settle_kind

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


@pytest.mark.quick
async def test_the_address_is_fetched_again_for_each_play_and_told_to_no_viewer(
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


@pytest.mark.parametrize("call_ids", [[""], ["full", "full"]])
async def test_a_row_that_has_a_name_of_ours_is_heard_by_its_id_user_and_start(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, call_ids: list[str]
) -> None:
    """Callbook made the name, because the CALL_ID cannot be read or its call has no room. The portal does not
    know it.
    """
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
        named.change(**{name: value})  # Another call has the id by now.
        assert (await named.play()).json()["code"] == "recording_not_found"
        named.change(**{name: before})
    assert (await named.play()).content == WHOLE
