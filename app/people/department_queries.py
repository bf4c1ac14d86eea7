"""Reading and writing departments and who belongs to them, portal first."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from app.bitrix24.departments import Department
from app.kit.conditions import is_among
from app.kit.database import Database
from app.kit.rows import encode_rows, rows_source
from app.kit.text import original, storable
from app.people.structure import Structure
from app.people.tables import DepartmentTable, MemberTable, StructureTable
from app.portals.quotas import USUAL
from app.portals.visibility import Everyone, Visible

_STATE = {"portal_id": "bigint", "generation": "integer", "state": "text", "at": "bigint"}
_DEPARTMENT = {"department_id": "bigint", "name": "text", "parent_id": "bigint", "head_id": "bigint"}
_MEMBER = {"department_id": "bigint", "user_id": "bigint"}
LONGEST_NAME = 255  # Of a department, where it stands beside a call.
MOST_MEMBERSHIPS = 10_000  # Of the users of a page: 500 of them may belong to twenty departments each.
Members = Mapping[int, frozenset[int]]  # Departments by user id.

# Each query begins with SELECT, so that SQLite's readers take it, and UNION ends on a structure in circles.
_LED = """
    WITH RECURSIVE below(department_id) AS (
        SELECT department_id FROM departments WHERE portal_id = {} AND head_id = {}
        UNION SELECT d.department_id FROM departments d JOIN below b ON d.parent_id = b.department_id
        WHERE d.portal_id = {})
    SELECT department_id FROM below
"""
_IN_DEPARTMENTS = """
    SELECT DISTINCT user_id FROM department_members WHERE portal_id = {{}} AND department_id IN ({which})
"""
_OWN = "SELECT department_id FROM department_members WHERE portal_id = {} AND user_id = {}"


async def find_structure(portal_id: int) -> Structure:
    """Whether the portal's departments are known."""
    row = await StructureTable.select().where(StructureTable.portal_id == portal_id).first()
    if row is None:
        return Structure("unread")
    count = await DepartmentTable.count().where(DepartmentTable.portal_id == portal_id)
    return Structure(row["state"], count, row["read_at"])


async def list_departments(portal_id: int) -> list[Department]:
    """All departments by name."""
    rows = await (
        DepartmentTable.select()
        .where(DepartmentTable.portal_id == portal_id)
        .order_by(DepartmentTable.name)
        .order_by(DepartmentTable.department_id)
    )
    return [
        Department(row["department_id"], original(row["name"]), row["parent_id"], row["head_id"])
        for row in rows
    ]


async def list_seen_departments(portal_id: int, visible: Visible) -> list[Department]:
    """Those of them to which somebody belongs whose calls may be seen."""
    departments = await list_departments(portal_id)
    if isinstance(visible, Everyone):
        return departments
    members = MemberTable.select(MemberTable.department_id).where(MemberTable.portal_id == portal_id)
    rows = await members.where(is_among("user_id", visible)).distinct()
    seen = {row["department_id"] for row in rows}
    return [department for department in departments if department.department_id in seen]


async def find_department_names(portal_id: int, user_ids: Iterable[int]) -> dict[int, list[str]]:
    """The departments that users belong to, by user id; who belongs to none is missing."""
    wanted, names = set(user_ids), dict[int, list[str]]()
    if not wanted:
        return names
    rows = await MemberTable.raw(
        f"SELECT m.user_id, SUBSTR(d.name, 1, {LONGEST_NAME}) AS name FROM department_members m"  # noqa: S608  A number of ours.
        " JOIN departments d ON d.portal_id = m.portal_id AND d.department_id = m.department_id"
        " WHERE m.portal_id = {} AND {} ORDER BY d.name, d.department_id LIMIT {}",
        *(portal_id, is_among("m.user_id", wanted).querystring, MOST_MEMBERSHIPS),
    )
    for row in rows:
        names.setdefault(row["user_id"], []).append(original(row["name"]))
    return names


async def is_head(portal_id: int, user_id: int) -> bool:
    """Whether the user is the head of a department."""
    return await DepartmentTable.exists().where(
        (DepartmentTable.portal_id == portal_id) & (DepartmentTable.head_id == user_id)
    )


async def select_led(portal_id: int, user_id: int) -> frozenset[int]:
    """Everyone, dismissed ones too, in the departments that the user heads and in all below those."""
    sql = _IN_DEPARTMENTS.format(which=_LED)
    return await _select(sql, portal_id, portal_id, user_id, portal_id)


async def select_colleagues(portal_id: int, user_id: int) -> frozenset[int]:
    """Everyone, dismissed ones too, in the departments that the user belongs to."""
    return await _select(_IN_DEPARTMENTS.format(which=_OWN), portal_id, portal_id, user_id)


async def _select(sql: str, *values: int) -> frozenset[int]:
    return frozenset(row["user_id"] for row in await MemberTable.raw(sql, *values))


async def store_structure(
    portal_id: int,
    generation: int,
    departments: Sequence[Department] | None,
    members: Members,
    now: int,
    database: Database,
) -> bool:
    """Replace what is known by what the portal told (None: the scope is missing, nothing is known any more),
    unless it was uninstalled or installed anew meanwhile; say whether that was so.

    Only what differs is written: from day to day that is next to nothing.
    """
    async with database.transaction():
        state = "not_granted" if departments is None else "read"
        if not await _note_state((portal_id, generation, state, now), database):
            return False
        known = (departments or ())[: USUAL.departments]
        ids = {one.department_id for one in known}
        pairs = {(one, user) for user, own in members.items() for one in own if one in ids}
        await _replace_departments(portal_id, known, database)
        await _replace_members(portal_id, set(islice(pairs, USUAL.memberships)), database)
    return True


async def _note_state(row: tuple[int, int, str, int], database: Database) -> bool:
    hold = "" if database.is_sqlite else " FOR SHARE OF p"
    rows = await database.run(
        "INSERT INTO structures (portal_id, state, read_at) SELECT p.id, k.state, k.at"  # noqa: S608
        f" FROM {rows_source(database, _STATE)} k JOIN portals p ON p.id = k.portal_id"
        f" AND p.generation = k.generation AND p.state = 'installed' WHERE true{hold}"
        " ON CONFLICT (portal_id) DO UPDATE SET state = excluded.state, read_at = excluded.read_at"
        " RETURNING portal_id",
        encode_rows([row]),
    )
    return bool(rows)


async def _replace_departments(portal_id: int, departments: Sequence[Department], database: Database) -> None:
    of_portal = DepartmentTable.portal_id == portal_id
    stored = {row["department_id"]: row for row in await DepartmentTable.select().where(of_portal)}
    told = {one.department_id: (one, storable(one.name)) for one in departments}
    gone = [department_id for department_id in stored if department_id not in told]
    changed = [
        (one.department_id, name, one.parent_id, one.head_id)
        for one, name in told.values()
        if (row := stored.get(one.department_id)) is None
        or (name, one.parent_id, one.head_id) != (row["name"], row["parent_id"], row["head_id"])
    ]
    await _delete(portal_id, "departments", {"department_id": "bigint"}, [(one,) for one in gone], database)
    await database.run(
        "INSERT INTO departments (portal_id, department_id, name, parent_id, head_id)"  # noqa: S608
        f" SELECT k.portal_id, k.department_id, k.name, k.parent_id, k.head_id FROM"
        f" {rows_source(database, {'portal_id': 'bigint', **_DEPARTMENT})} k WHERE true"
        " ON CONFLICT (portal_id, department_id) DO UPDATE SET name = excluded.name,"
        " parent_id = excluded.parent_id, head_id = excluded.head_id",
        encode_rows((portal_id, *row) for row in changed),
    )


async def _replace_members(portal_id: int, pairs: set[tuple[int, int]], database: Database) -> None:
    rows = await MemberTable.select().where(MemberTable.portal_id == portal_id)
    stored = {(row["department_id"], row["user_id"]) for row in rows}
    await _delete(portal_id, "department_members", _MEMBER, sorted(stored - pairs), database)
    await database.run(
        "INSERT INTO department_members (portal_id, department_id, user_id)"  # noqa: S608  Our names.
        " SELECT k.portal_id, k.department_id, k.user_id FROM"
        f" {rows_source(database, {'portal_id': 'bigint', **_MEMBER})} k WHERE true ON CONFLICT DO NOTHING",
        encode_rows((portal_id, *pair) for pair in sorted(pairs - stored)),
    )


async def _delete(
    portal_id: int, table: str, types: dict[str, str], keys: Sequence[tuple[int, ...]], database: Database
) -> None:
    names = ", ".join(("portal_id", *types))
    source = rows_source(database, {"portal_id": "bigint", **types})
    await database.run(
        f"DELETE FROM {table} WHERE ({names}) IN (SELECT {names} FROM {source} k)",  # noqa: S608  Our names.
        encode_rows((portal_id, *key) for key in keys),
    )


async def delete_structure(portal_id: int) -> None:
    """Forget all departments of a portal and who belongs to them."""
    await StructureTable.delete().where(StructureTable.portal_id == portal_id)
    await DepartmentTable.delete().where(DepartmentTable.portal_id == portal_id)
    await MemberTable.delete().where(MemberTable.portal_id == portal_id)
