"""The company's structure. Documentation: api-reference/departments/department-get.md (scope department)."""

import msgspec

from app.bitrix24.errors import RESTRICTED, BitrixError
from app.bitrix24.rest.answers import read_text
from app.bitrix24.rest.portal_client import PortalClient
from app.bitrix24.rest.whole_lists import list_rows
from app.kit.json_values import read_whole

_MAX_NAME = 255
# The codes with which portals answer an app without the scope.
_NOT_GRANTED = RESTRICTED | {"error_method_not_found"}


class Department(msgspec.Struct, frozen=True):
    """One department; the company itself has no parent, and some have no head."""

    department_id: int
    name: str
    parent_id: int | None
    head_id: int | None


async def list_departments(client: PortalClient, access_token: str) -> list[Department] | None:
    """All departments; None when the app lacks the scope. Raises other errors as `PortalClient.call` does."""
    departments: dict[int, Department] = {}
    try:
        async for rows in list_rows(client, access_token, "department.get", {"sort": "ID", "order": "ASC"}):
            departments |= {one.department_id: one for one in map(_department, rows) if one is not None}
    except BitrixError as error:
        if error.code in _NOT_GRANTED:
            return None
        raise
    return list(departments.values())


def _department(row: object) -> Department | None:
    department_id = read_whole(row.get("ID")) if isinstance(row, dict) else None
    if not department_id or not isinstance(row, dict):
        return None
    name = read_text(row.get("NAME")).strip()[:_MAX_NAME]
    parent_id, head_id = read_whole(row.get("PARENT")) or None, read_whole(row.get("UF_HEAD")) or None
    return Department(department_id, name, parent_id, head_id)
