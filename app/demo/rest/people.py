"""`user.get` and `department.get`."""

from collections.abc import Mapping
from typing import Any

from app.demo.core.state import Department, User
from app.demo.rest.rest_call import Method, RestAnswer, RestCall, cut_page

BRIEF_FIELDS = (
    "ID",
    "XML_ID",
    "ACTIVE",
    "NAME",
    "LAST_NAME",
    "SECOND_NAME",
    "IS_ONLINE",
    "TIME_ZONE",
    "PERSONAL_GENDER",
    "WORK_POSITION",
    "UF_DEPARTMENT",
    "USER_TYPE",
)
OPERATORS = ("!@", ">=", "<=", "!=", "@", ">", "<", "=", "!")


def list_users(call: RestCall) -> RestAnswer:
    """api-reference/user/user-get.md with the fields of api-reference/user/user-scope.md.

    Conditions come in FILTER or as parameters beside it; bots and other system users are never listed.
    """
    given = call.parameter("FILTER")
    conditions = dict(given) if isinstance(given, Mapping) else {}
    own = ("SORT", "ORDER", "FILTER", "START", "SELECT", "AUTH", "ADMIN_MODE", "IMAGE_RESIZE")
    conditions |= {key: value for key, value in call.parameters.items() if str(key).upper() not in own}
    rows = [_describe_user(user) for _, user in sorted(call.state.users.items()) if not user.is_system]
    rows = [row for row in rows if _meets(row, conditions)]
    if call.text("order").upper() == "DESC":
        rows.reverse()
    return cut_page(rows, call.parameter("start"))


def list_departments(call: RestCall) -> RestAnswer:
    """api-reference/departments/department-get.md"""
    rows = [_describe_department(department) for department in call.state.departments]
    for name in ("ID", "NAME", "SORT", "PARENT", "UF_HEAD"):
        wanted = None if name == "SORT" and not call.text(name).isdigit() else call.parameter(name)
        if wanted not in (None, ""):
            values = wanted if isinstance(wanted, list) else [wanted]
            rows = [row for row in rows if str(row.get(name, "")) in map(str, values)]
    if call.text("order").upper() == "DESC":
        rows.reverse()
    return cut_page(rows, call.parameter("start"))


def _describe_user(user: User) -> dict[str, Any]:
    fields = {
        "ID": str(user.id),
        "XML_ID": "",
        "ACTIVE": user.is_active,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "IS_ONLINE": "N",
        "TIME_ZONE": user.time_zone,
        "PERSONAL_GENDER": user.gender,
        "WORK_POSITION": user.work_position,
        "UF_DEPARTMENT": user.department_ids,
        "USER_TYPE": "employee",
    }
    return {name: fields[name] for name in BRIEF_FIELDS}


def _describe_department(department: Department) -> dict[str, Any]:
    row: dict[str, Any] = {"ID": str(department.id), "NAME": department.name, "SORT": department.sort}
    if department.parent_id is not None:
        row["PARENT"] = str(department.parent_id)
    if department.head_id is not None:
        row["UF_HEAD"] = str(department.head_id)
    return row


def _meets(row: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    return all(_is_met(row, str(key), value) for key, value in conditions.items())


def _is_met(row: Mapping[str, Any], key: str, wanted: object) -> bool:
    operator = next((prefix for prefix in OPERATORS if key.startswith(prefix)), "")
    field = key[len(operator) :]
    if field not in row:
        return True
    held = [_comparable(item) for item in (row[field] if isinstance(row[field], list) else [row[field]])]
    values = [_comparable(item) for item in (wanted if isinstance(wanted, list) else [wanted])]
    if operator in ("", "=", "@"):
        return any(value in held for value in values)
    if operator in ("!", "!=", "!@"):
        return not any(value in held for value in values)
    numbers = [int(item) for item in held if item.isdigit()], [int(item) for item in values if item.isdigit()]
    if not all(numbers):
        return False
    left, right = numbers[0][0], numbers[1][0]
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def _comparable(value: object) -> str:
    """The value as text. For this method true, `Y` and `1` are the same; so are false, `N`, `0` and an absent
    value.
    """
    text = str(value)
    return {"true": "1", "y": "1", "false": "0", "n": "0", "": "0"}.get(text.lower(), text)


METHODS = {
    "user.get": Method(list_users, ("user_brief", "user_basic", "user")),
    "department.get": Method(list_departments, ("department",)),
}
