"""All tables that an erasure must leave empty."""

from tests.portals.portal_rows import count
from tests.running import Callbook

TABLES = (
    *("portals", "calls", "call_legs", "people", "undecodable_events", "rate_buckets"),
    *("departments", "department_members", "structures", "portal_settings"),
)
# A request that a portal caused after its end is kept, but without the portal's name.
NAMED_EXCHANGES = "SELECT COUNT(*) AS n FROM rest_exchanges WHERE member_id IS NOT NULL OR host <> ''"


async def assert_nothing_is_left(callbook: Callbook) -> None:
    assert {table: await count(callbook, table) for table in TABLES} == dict.fromkeys(TABLES, 0)
    assert (await callbook.run_sql(NAMED_EXCHANGES))[0]["n"] == 0
