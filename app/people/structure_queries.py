"""Writing departments and memberships, portal first, in steps: events have their turn in between."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from
from app.people.structure import Difference, Known, State, compare
from app.people.tables import StructureTable
from app.portals.hold_queries import hold_installation

ROWS_A_STEP = 500  # An event waits some milliseconds for a step.
_DEPARTMENT = {"department_id": "bigint", "name": "text", "parent_id": "bigint", "head_id": "bigint"}
_MEMBER = {"department_id": "bigint", "user_id": "bigint"}
_Row = tuple[object, ...]
_Write = Callable[[int, Sequence[_Row], Database], Awaitable[None]]


async def store_structure(
    portal_id: int, generation: int, told: Known | None, now: int, database: Database
) -> bool:
    """Replace the stored structure by the one that the portal told (None: the scope is missing, so nothing is
    known). False, with nothing more written, once the portal was uninstalled or installed again meanwhile.

    Only differences are written, and from one day to the next there are few. Meanwhile a viewer sees only
    calls that the old or the new structure shows this viewer. If the writing is cut off, viewers see fewer
    calls until the next read.
    """
    state: State = "not_granted" if told is None else "read"
    stored = await _read(portal_id, database)
    difference = await asyncio.to_thread(compare, stored, told or Known({}, frozenset()))
    for write, rows in _plan(difference):
        async with database.patient_transaction():
            if not await hold_installation(portal_id, generation, database):
                return False
            await write(portal_id, rows, database)
    async with database.transaction():
        if not await hold_installation(portal_id, generation, database):
            return False
        await StructureTable.insert(
            StructureTable(portal_id=portal_id, state=state, read_at=now)
        ).on_conflict(
            target=StructureTable.portal_id,
            action="DO UPDATE",
            values=[StructureTable.state, StructureTable.read_at],
        )
    return True


async def _read(portal_id: int, database: Database) -> Known:
    mark = "?" if database.is_sqlite else "$1"
    departments = await database.run(
        f"SELECT department_id, name, parent_id, head_id FROM departments WHERE portal_id = {mark}",  # noqa: S608
        portal_id,
    )
    pairs = await database.run(
        f"SELECT department_id, user_id FROM department_members WHERE portal_id = {mark}",  # noqa: S608
        portal_id,
    )
    return await asyncio.to_thread(_collect, departments, pairs)


def _collect(departments: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]]) -> Known:
    rows = (tuple(row[name] for name in _DEPARTMENT) for row in departments)
    return Known(
        {row[0]: (row[0], row[1], row[2], row[3]) for row in rows},
        frozenset((row["department_id"], row["user_id"]) for row in pairs),
    )


def _plan(difference: Difference) -> Iterator[tuple[_Write, Sequence[_Row]]]:
    """The rows of each step, with the function that writes them."""
    parts: tuple[tuple[_Write, Sequence[_Row]], ...] = (
        (_delete_members, difference.gone_pairs),
        (_delete_departments, [(one,) for one in difference.gone_departments]),
        (_insert_departments, difference.new_departments),
        (_insert_members, difference.new_pairs),
    )
    for write, rows in parts:
        for begin in range(0, len(rows), ROWS_A_STEP):
            yield write, rows[begin : begin + ROWS_A_STEP]


async def _delete_members(portal_id: int, rows: Sequence[_Row], database: Database) -> None:
    await _delete(portal_id, "department_members", _MEMBER, rows, database)


async def _delete_departments(portal_id: int, rows: Sequence[_Row], database: Database) -> None:
    await _delete(portal_id, "departments", {"department_id": "bigint"}, rows, database)


async def _insert_departments(portal_id: int, rows: Sequence[_Row], database: Database) -> None:
    await database.run(
        "INSERT INTO departments (portal_id, department_id, name, parent_id, head_id)"  # noqa: S608
        f" SELECT k.portal_id, k.department_id, k.name, k.parent_id, k.head_id FROM"
        f" {rows_from(database, {'portal_id': 'bigint', **_DEPARTMENT})} k WHERE true"
        " ON CONFLICT (portal_id, department_id) DO UPDATE SET name = excluded.name,"
        " parent_id = excluded.parent_id, head_id = excluded.head_id",
        encode_rows((portal_id, *row) for row in rows),
    )


async def _insert_members(portal_id: int, rows: Sequence[_Row], database: Database) -> None:
    await database.run(
        "INSERT INTO department_members (portal_id, department_id, user_id)"  # noqa: S608  Our names.
        " SELECT k.portal_id, k.department_id, k.user_id FROM"
        f" {rows_from(database, {'portal_id': 'bigint', **_MEMBER})} k WHERE true ON CONFLICT DO NOTHING",
        encode_rows((portal_id, *row) for row in rows),
    )


async def _delete(
    portal_id: int, table: str, types: dict[str, str], rows: Sequence[_Row], database: Database
) -> None:
    names = ", ".join(("portal_id", *types))
    source = rows_from(database, {"portal_id": "bigint", **types})
    await database.run(
        f"DELETE FROM {table} WHERE ({names}) IN (SELECT {names} FROM {source} k)",  # noqa: S608  Our names.
        encode_rows((portal_id, *row) for row in rows),
    )
