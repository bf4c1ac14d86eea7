"""The log of requests to Bitrix24."""

from prometheus_client import REGISTRY

from app.bitrix24.rest.exchange import Exchange
from app.demo.stand_in import StandIn
from app.portals.outbound.exchange_queries import INSTALLING_S, purge_exchanges, record_exchange
from tests.running import Callbook, FakeClock


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("callbook_outbound_total", {"kind": "rest", "outcome": outcome}) or 0


async def test_a_portal_makes_up_no_figures(callbook: Callbook) -> None:
    """The error codes are the portal's own text; the table keeps them as they are."""
    before = count("other"), count("expired_token"), count("ok")
    for code in ("made_up_1", "made_up_2", "expired_token", None):
        exchange = Exchange(
            at=1,
            kind="rest",
            member_id="a" * 32,
            host="b.example",
            method="profile",
            parameters="{}",
            status=400,
            error_code=code,
            duration_ms=5,
            result_summary="",
        )
        await record_exchange(exchange)
    assert (count("other"), count("expired_token"), count("ok")) == (
        before[0] + 2,
        before[1] + 1,
        before[2] + 1,
    )
    assert count("made_up_1") == 0
    rows = await callbook.run_sql(
        "SELECT error_code FROM rest_exchanges WHERE host = 'b.example' ORDER BY id"
    )
    assert [row["error_code"] for row in rows] == ["made_up_1", "made_up_2", "expired_token", None]


async def read_named(callbook: Callbook, method: str) -> list[tuple[object, object]]:
    rows = await callbook.run_sql(
        f"SELECT member_id, host FROM rest_exchanges WHERE method = '{method}' AND host IN ('b.example', '')"
    )
    return [(row["member_id"], row["host"]) for row in rows]


async def test_an_answer_after_the_uninstall_names_no_portal(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal = stand_in.portals[0]
    portal.add_app()
    await portal.install(callbook.url)
    await callbook.settle()
    late = Exchange(
        at=clock.now(),
        kind="rest",
        member_id=portal.member_id,
        host="b.example",
        method="late",
        parameters="{}",
        status=200,
        error_code=None,
        duration_ms=5,
        result_summary="",
    )
    await record_exchange(late)
    assert await read_named(callbook, "late") == [(portal.member_id, "b.example")]
    await portal.uninstall(clean=False)
    await callbook.settle()
    await record_exchange(late)
    assert await read_named(callbook, "late") == [(None, "")]


async def test_an_answer_after_the_erasure_names_none_at_once_or_within_hours(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    """Before an installation has a row, its requests keep their names until the row comes."""
    installed, erased = stand_in.portals
    installed.add_app()
    for portal in (installed, erased):
        for method in ("app.info", "late"):
            at = clock.now()
            exchange = Exchange(
                at=at,
                kind="rest",
                member_id=portal.member_id,
                host="b.example",
                method=method,
                parameters="{}",
                status=200,
                error_code=None,
                duration_ms=5,
                result_summary="",
            )
            await record_exchange(exchange)
    assert await read_named(callbook, "late") == [(None, ""), (None, "")]
    await installed.install(callbook.url)
    await callbook.settle()
    await purge_exchanges(clock.now())
    assert len([name for name, _ in await read_named(callbook, "app.info") if name]) == 2
    clock.advance(INSTALLING_S + 1)
    await purge_exchanges(clock.now())
    named = await read_named(callbook, "app.info")
    assert sorted(named, key=str) == [(installed.member_id, "b.example"), (None, "")]
