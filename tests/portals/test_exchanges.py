"""The log of requests to Bitrix24."""

from prometheus_client import REGISTRY

from app.bitrix24.exchange import Exchange
from app.portals.exchange_queries import record_exchange
from tests.running import Callbook


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("callbook_outbound_total", {"kind": "rest", "outcome": outcome}) or 0


async def test_a_portal_makes_up_no_figures(callbook: Callbook) -> None:
    """Its error codes are its own text; in the table they stay what they are."""
    before = count("other"), count("expired_token"), count("ok")
    for code in ("made_up_1", "made_up_2", "expired_token", None):
        exchange = Exchange(1, "rest", "a" * 32, "b.example", "profile", "{}", 400, code, 5, "")
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
