"""Reading departments and who belongs to them, and forgetting them; portal first."""

from collections.abc import Iterable

from app.bitrix24.methods.departments import Department
from app.kit.storage.conditions import is_among
from app.kit.storage.deletion import delete_some
from app.kit.text import original
from app.people.structure import Structure
from app.people.tables import DepartmentTable, MemberTable, StructureTable
from app.portals.settings.visible_users import Everyone, Visible

LONGEST_NAME = 255  # Of a department, where it stands beside a call.
MOST_MEMBERSHIPS = 10_000  # Of the users of a page: 500 of them may belong to twenty departments each.

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
    return Structure(row["state"], await count_departments(portal_id), row["read_at"])


async def count_departments(portal_id: int) -> int:
    """How many departments of a portal are known."""
    count: int = await DepartmentTable.count().where(DepartmentTable.portal_id == portal_id)
    return count


async def count_memberships(portal_id: int) -> int:
    """How many pairs of a department and one of its people are known."""
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


async def delete_some_structure(portal_id: int) -> bool:
    """Forget some of the departments of a portal and who belongs to them; False when none is left."""
    for table in (StructureTable, MemberTable, DepartmentTable):
        if await delete_some(table, table.portal_id == portal_id):
            return True
    return False
