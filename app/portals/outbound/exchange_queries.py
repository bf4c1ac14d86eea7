"""The log of requests to Bitrix24 that the Marketplace demands: redacted, for a week, in the database."""

from typing import Any

from piccolo.columns import Column

from app.bitrix24.errors import (
    APP_GONE,
    PAYMENT_REQUIRED,
    PORTAL_CLOSED,
    REJECTED_TOKEN,
    RESTRICTED,
    TOO_FAST,
    WRONG_CLIENT,
)
from app.bitrix24.rest.exchange import Exchange
from app.kit.metrics import OUTBOUND
from app.kit.storage.database import patiently
from app.kit.storage.deletion import delete_some
from app.kit.storage.light_commits import commit_lightly
from app.portals.tables import PortalTable, RestExchangeTable

ROWS_A_STEP = 2_000
OF_UNINSTALLED = (
    "SELECT e.id FROM portals p JOIN rest_exchanges e ON e.member_id = p.member_id"
    " AND e.at <= p.uninstalled_at WHERE p.state = 'uninstalled' LIMIT {}"
)
OF_NO_PORTAL = (
    "SELECT e.id FROM rest_exchanges e WHERE e.at < {} AND e.member_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM portals p WHERE p.member_id = e.member_id) LIMIT {}"
)
CROWDED = "SELECT member_id FROM rest_exchanges GROUP BY member_id HAVING COUNT(*) > {}"
SURPLUS = (
    "DELETE FROM rest_exchanges WHERE id IN (SELECT id FROM rest_exchanges WHERE {of_one} AND id <="
    " (SELECT id FROM rest_exchanges WHERE {of_one} ORDER BY id DESC LIMIT 1 OFFSET {{}}) LIMIT {{}})"
    " RETURNING id"
)
ASKED_BEFORE_A_ROW = frozenset({"app.info", "profile"})  # An installation begins with these.
INSTALLING_S = 3600  # Far longer than any installation takes to have its row.
KEPT_FOR_S = 7 * 24 * 3600
# The codes that the metrics tell apart. A portal can answer any text, and each would be a figure for good.
TOLD_CODES = frozenset(
    {
        *("unreachable", "address_refused", "cancelled", "user_inactive", "error_core"),
        *("operation_time_limit", "overload_limit", "internal_server_error"),
        *(
            APP_GONE
            | PAYMENT_REQUIRED
            | PORTAL_CLOSED
            | REJECTED_TOKEN
            | RESTRICTED
            | TOO_FAST
            | WRONG_CLIENT
        ),
    }
)


async def record_exchange(exchange: Exchange) -> None:
    """Keep one exchange; it was redacted when it was made. It names no portal that is gone."""
    is_named = exchange.member_id is None or await _may_name(exchange.member_id, exchange.method)
    OUTBOUND.labels(exchange.kind, _outcome(exchange.error_code)).inc()
    row = RestExchangeTable(
        member_id=exchange.member_id if is_named else None,
        at=exchange.at,
        kind=exchange.kind,
        host=exchange.host if is_named else "",
        method=exchange.method,
        parameters=exchange.parameters,
        status=exchange.status,
        error_code=exchange.error_code,
        duration_ms=exchange.duration_ms,
        summary=exchange.result_summary,
    )
    with commit_lightly():
        await RestExchangeTable.insert(row)


async def _may_name(member_id: str, method: str) -> bool:
    """Whether it is installed, or has no row yet, and not no row any more."""
    portal = await PortalTable.select(PortalTable.state).where(PortalTable.member_id == member_id).first()
    return method in ASKED_BEFORE_A_ROW if portal is None else portal["state"] == "installed"


async def purge_exchanges(now: int) -> None:
    """Delete what is older than a week, and take the names from what belongs to no portal.

    Who asked whose token it is, when its portal was erased, is written after that. Nobody can tell it then
    from an installation that has no row yet, so an hour later this sees whether one came.
    """
    while await delete_some(RestExchangeTable, RestExchangeTable.at < now - KEPT_FOR_S):
        pass
    while rows := await RestExchangeTable.raw(OF_NO_PORTAL, now - INSTALLING_S, ROWS_A_STEP):
        async with patiently(RestExchangeTable):
            unnamed: dict[Column | str, Any] = {RestExchangeTable.member_id: None, RestExchangeTable.host: ""}
            is_one = RestExchangeTable.id.is_in([row["id"] for row in rows])
            await RestExchangeTable.update(unnamed).where(is_one)


async def trim_exchanges(most: int) -> None:
    """Delete the oldest of portals that have more than their quota, and of what belongs to none."""
    for row in await RestExchangeTable.raw(CROWDED, most):
        member_id = row["member_id"]
        of_one, names = ("member_id IS NULL", []) if member_id is None else ("member_id = {}", [member_id])
        surplus = SURPLUS.format(of_one=of_one)
        while await _delete_step(surplus, *names, *names, most, ROWS_A_STEP):
            pass


async def count_exchanges(portal_id: int) -> int:
    """How many of a portal's requests are in the log."""
    rows = await RestExchangeTable.raw(
        "SELECT COUNT(*) AS n FROM rest_exchanges WHERE member_id ="
        " (SELECT member_id FROM portals WHERE id = {})",
        portal_id,
    )
    count: int = rows[0]["n"]
    return count


async def erase_exchanges(member_id: str) -> None:
    """Delete what concerns a portal that is gone."""
    await RestExchangeTable.delete().where(RestExchangeTable.member_id == member_id)


async def erase_some_uninstalled_exchanges() -> bool:
    """Delete some of what uninstalled portals left from before their end; False when nothing is left.

    To have deleted no row is not that: another eraser may have been at the same rows, and died after them.
    """
    sql = f"DELETE FROM rest_exchanges WHERE id IN ({OF_UNINSTALLED}) RETURNING id"  # noqa: S608  A constant.
    return await _delete_step(sql, ROWS_A_STEP) or bool(await RestExchangeTable.raw(OF_UNINSTALLED, 1))


async def _delete_step(sql: str, *values: object) -> bool:
    """Whether it deleted something; nobody waits for it."""
    async with patiently(RestExchangeTable):
        return bool(await RestExchangeTable.raw(sql, *values))


def _outcome(error_code: str | None) -> str:
    if error_code is None:
        return "ok"
    return error_code if error_code in TOLD_CODES else "other"
