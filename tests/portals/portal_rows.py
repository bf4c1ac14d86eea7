"""Reads of a portal's row, for tests."""

from typing import Any

from tests.running import Callbook


async def read_portal(callbook: Callbook, member_id: str) -> dict[str, Any]:
    rows = await callbook.run_sql(f"SELECT * FROM portals WHERE member_id = '{member_id}'")
    assert len(rows) == 1
    return rows[0]


async def read_pair(callbook: Callbook, member_id: str) -> tuple[str, str]:
    row = await read_portal(callbook, member_id)
    pair = await callbook.parts.vault.read_pair(row["id"])
    assert pair is not None
    return pair.access_token, pair.refresh_token


async def count(callbook: Callbook, table: str) -> int:
    number: int = (await callbook.run_sql(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"]
    return number
