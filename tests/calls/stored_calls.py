"""Portals and calls for the tests of this folder: how they are made and read."""

from typing import Any

from app.bitrix24.incoming.call_end import CallRecord
from app.kit.storage.database import Database
from app.portals import queries

TOKEN_HASH = "hash-of-the-token"
STARTED_AT = 1_794_900_000
UNCOMPARED = {"id", "portal_id", "received_at"}


async def insert_portal(member_id: str = "a" * 32, **changes: Any) -> int:
    """Insert an installed portal; return its id."""
    row = await queries.make_row(member_id)
    fields = {"state": "installed", "generation": 1, "application_token_hash": TOKEN_HASH} | changes
    await queries.update_locked(row["id"], fields)
    portal_id: int = row["id"]
    return portal_id


async def uninstall(portal_id: int) -> None:
    await queries.update_locked(portal_id, {"state": "uninstalled", "application_token_hash": None})


def make_record(call_id: str = "call.1", **changes: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "call_id": call_id,
        "type": 2,
        "phone_number": "+12025550123",
        "portal_number": "reg133788",
        "user_id": 7,
        "started_at": STARTED_AT,
        "duration_s": 35,
        "cost_e4": 12_000,
        "currency": "EUR",
        "code": "304",
        "reason": "Missed",
        "crm_activity_id": None,
    }
    return CallRecord(**(fields | changes))


async def read_calls(database: Database, portal_id: int) -> list[dict[str, Any]]:
    """The portal's calls in a stable order, without the columns in which two stores may differ."""
    return await _read(database, "calls", portal_id, "call_id")


async def read_legs(database: Database, portal_id: int) -> list[dict[str, Any]]:
    order = "call_id, started_at, COALESCE(statistics_id, 0), code, user_id, duration_s"
    return await _read(database, "call_legs", portal_id, order)


async def _read(database: Database, table: str, portal_id: int, order: str) -> list[dict[str, Any]]:
    placeholder = "?" if database.is_sqlite else "$1"
    rows = await database.run(
        f"SELECT * FROM {table} WHERE portal_id = {placeholder} ORDER BY {order}", portal_id
    )
    return [{key: value for key, value in row.items() if key not in UNCOMPARED} for row in rows]
