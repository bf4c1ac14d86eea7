"""The metrics that /metrics shows to a holder of its token."""

import re

from app.demo.stand_in import StandIn
from app.portals import queries
from tests.conftest import GENEROUS
from tests.running import Callbook, FakeClock, run_callbook
from tests.web.browsing import install

TOKEN = "metrics-token-of-the-test"


async def count_portals(callbook: Callbook) -> dict[str, float]:
    answer = await callbook.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    found = re.findall(r'^callbook_portals\{state="(\w+)"\} (\S+)$', answer.text, re.MULTILINE)
    return {state: float(count) for state, count in found if float(count)}


async def test_portals_are_counted_by_how_we_stand_with_them(
    database_url: str, stand_in: StandIn, clock: FakeClock
) -> None:
    async with run_callbook(database_url, stand_in, clock, GENEROUS, metrics_token=TOKEN) as callbook:
        assert await count_portals(callbook) == {}
        ids = [await install(callbook, portal) for portal in stand_in.portals]
        ids.append(await install(callbook, await stand_in.add_portal()))
        assert await count_portals(callbook) == {"ok": 3}
        await queries.update_locked(ids[0], {"contact_state": "plan_without_rest"})
        await queries.update_locked(ids[1], {"token_state": "reinstall_needed"})
        assert await count_portals(callbook) == {"ok": 1, "restricted": 1, "reinstall_needed": 1}
        await stand_in.portals[2].uninstall(clean=False)
        await callbook.settle()
        assert await count_portals(callbook) == {"restricted": 1, "reinstall_needed": 1}
