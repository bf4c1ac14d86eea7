"""Reading and erasing departments and their members; portal first."""

from collections.abc import Iterable

from app.bitrix24.methods.departments import Department
from app.kit.storage.conditions import is_among
from app.kit.storage.deletion import delete_some
from app.kit.text import original
from app.people.structure import Structure
from app.people.tables import DepartmentTable, MemberTable, StructureTable
from app.portals.settings.visible_users import Everyone, Visible

LONGEST_NAME = 255  # In characters, of a department's name beside a call.
MOST_MEMBERSHIPS = 10_000  # For one page: 500 users may belong to twenty departments each.

# Each query begins with SELECT, so that SQLite's readers run it. UNION ends even on departments in a circle.
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
    """Whether the portal's departments are known, how many they are, and when they were read."""
    row = await StructureTable.select().where(StructureTable.portal_id == portal_id).first()
    if row is None:
        return Structure("unread")
    return Structure(row["state"], await count_departments(portal_id), row["read_at"])


async def count_departments(portal_id: int) -> int:
    """How many departments of a portal are known."""
    count: int = await DepartmentTable.count().where(DepartmentTable.portal_id == portal_id)
    return count


async def count_memberships(portal_id: int) -> int:
    """How many pairs of a department and a member of it are known."""
    table = MemberTable
    count: int = await table.count().where(table.portal_id == portal_id)
    return count


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
    """The departments, by name, with at least one member among the visible users."""
    departments = await list_departments(portal_id)
    if isinstance(visible, Everyone):
        return departments
    members = MemberTable.select(MemberTable.department_id).where(MemberTable.portal_id == portal_id)
    rows = await members.where(is_among("user_id", visible)).distinct()
    seen = {row["department_id"] for row in rows}
    return [department for department in departments if department.department_id in seen]


async def find_department_names(portal_id: int, user_ids: Iterable[int]) -> dict[int, list[str]]:
    """The names of users' departments, by user id; a user without a department is missing."""
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
    """All users, dismissed ones too, in the departments that this user heads and in all below those."""
    sql = _IN_DEPARTMENTS.format(which=_LED)
    return await _select(sql, portal_id, portal_id, user_id, portal_id)


async def select_colleagues(portal_id: int, user_id: int) -> frozenset[int]:
    """All users, dismissed ones too, in the departments to which this user belongs."""
    return await _select(_IN_DEPARTMENTS.format(which=_OWN), portal_id, portal_id, user_id)


async def _select(sql: str, *values: int) -> frozenset[int]:
    return frozenset(row["user_id"] for row in await MemberTable.raw(sql, *values))


async def delete_some_structure(portal_id: int) -> bool:
    """Erase some departments and memberships of a portal; False when none is left."""
    for table in (StructureTable, MemberTable, DepartmentTable):
        if await delete_some(table, table.portal_id == portal_id):
            return True
    return False
