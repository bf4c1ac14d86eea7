"""The log of requests to Bitrix24 that the Marketplace demands: redacted, a week long, in the database."""

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
INSTALLING_S = 3600  # Far longer than any installation takes until its row is stored.
KEPT_FOR_S = 7 * 24 * 3600
# The codes that have a figure of their own in the metrics. All other texts that portals answer share one
# figure.
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
    """Keep one exchange, which is redacted already; the name and host of a gone portal are left out."""
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
    """Whether a record may name the portal: it is installed, or it has no row and `method` is one of those
    that an installation asks before its row exists.
    """
    portal = await PortalTable.select(PortalTable.state).where(PortalTable.member_id == member_id).first()
    return method in ASKED_BEFORE_A_ROW if portal is None else portal["state"] == "installed"


async def purge_exchanges(now: int) -> None:
    """Delete exchanges older than a week, and remove the names from those that belong to no portal.

    An erasure can come between a question about a token and its record. This record then looks like that of
    an installation that has no row yet. So it keeps its name for an hour, and loses it if no row has come.
    """
    while await delete_some(RestExchangeTable, RestExchangeTable.at < now - KEPT_FOR_S):
        pass
    while rows := await RestExchangeTable.raw(OF_NO_PORTAL, now - INSTALLING_S, ROWS_A_STEP):
        async with patiently(RestExchangeTable):
            unnamed: dict[Column | str, Any] = {RestExchangeTable.member_id: None, RestExchangeTable.host: ""}
            is_one = RestExchangeTable.id.is_in([row["id"] for row in rows])
            await RestExchangeTable.update(unnamed).where(is_one)


async def trim_exchanges(most: int) -> None:
    """Delete the oldest exchanges of each portal that has more than `most`. The exchanges without a portal
    count as one more portal's.
    """
    for row in await RestExchangeTable.raw(CROWDED, most):
        member_id = row["member_id"]
        of_one, names = ("member_id IS NULL", []) if member_id is None else ("member_id = {}", [member_id])
        surplus = SURPLUS.format(of_one=of_one)
        while await _delete_step(surplus, *names, *names, most, ROWS_A_STEP):
            pass


async def count_exchanges(portal_id: int) -> int:
    """The number of a portal's requests in the log."""
    rows = await RestExchangeTable.raw(
        "SELECT COUNT(*) AS n FROM rest_exchanges WHERE member_id ="
        " (SELECT member_id FROM portals WHERE id = {})",
        portal_id,
    )
    count: int = rows[0]["n"]
    return count


async def erase_exchanges(member_id: str) -> None:
    """Delete all exchanges of a portal that is gone."""
    await RestExchangeTable.delete().where(RestExchangeTable.member_id == member_id)


async def erase_some_uninstalled_exchanges() -> bool:
    """Delete some exchanges that uninstalled portals had before their end; False if none are left.

    A step that deletes no row proves nothing: another eraser may have deleted the same rows, and then died
    before the rest.
    """
    sql = f"DELETE FROM rest_exchanges WHERE id IN ({OF_UNINSTALLED}) RETURNING id"  # noqa: S608  A constant.
    return await _delete_step(sql, ROWS_A_STEP) or bool(await RestExchangeTable.raw(OF_UNINSTALLED, 1))


async def _delete_step(sql: str, *values: object) -> bool:
    """Whether the statement deleted a row; it waits for other writers and makes none wait."""
    async with patiently(RestExchangeTable):
        return bool(await RestExchangeTable.raw(sql, *values))


def _outcome(error_code: str | None) -> str:
    if error_code is None:
        return "ok"
    return error_code if error_code in TOLD_CODES else "other"
