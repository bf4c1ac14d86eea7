"""The portal's users. Documentation: api-reference/user/user-get.md (scope user_brief is enough)."""

from heapq import nsmallest

import msgspec

from app.bitrix24.methods.profile import full_name
from app.bitrix24.rest.portal_client import PortalClient
from app.bitrix24.rest.whole_lists import list_rows
from app.kit.json_values import read_whole

LONGEST_NAME = 128  # In characters; the log shows 100 of them and an ellipsis.
MOST_DEPARTMENTS_OF_USER = 100  # Most people belong to one or two.
_FIELDS = ("ID", "NAME", "LAST_NAME", "ACTIVE", "UF_DEPARTMENT")


class User(msgspec.Struct, frozen=True):
    """One user of a portal; dismissed users are not active but have made calls.

    `department_ids` holds at most MOST_DEPARTMENTS_OF_USER ids and one more, which shows that there are too
    many.
    """

    user_id: int
    name: str
    is_active: bool
    department_ids: frozenset[int] = frozenset()


async def list_users(
    client: PortalClient, access_token: str, *, most_users: int, most_memberships: int
) -> list[User]:
    """All users up to `most_users`, without bots, partners and other system users, which the method never
    lists.

    The returned users together have at most `most_memberships` memberships and one more, which shows that
    there are too many. Once these are reached, the users that follow have no departments, so that memory
    holds no more than will be stored. Raises as `PortalClient.call` does.
    """
    parameters = {"sort": "ID", "order": "ASC", "select": list(_FIELDS)}
    users: dict[int, User] = {}
    room = most_memberships + 1
    async for rows in list_rows(client, access_token, "user.get", parameters):
        for row in rows:
            user = _user(row, room)
            if user is None or user.user_id in users:
                continue
            room -= len(user.department_ids)
            users[user.user_id] = user
            if len(users) >= most_users:
                return list(users.values())
    return list(users.values())


def _user(row: object, room: int) -> User | None:
    user_id = read_whole(row.get("ID")) if isinstance(row, dict) else None
    if user_id is None or not isinstance(row, dict):
        return None
    is_active = row.get("ACTIVE", True) in (True, 1, "1", "Y", "true")
    name = full_name(row)[:LONGEST_NAME]
    return User(user_id, name, is_active, _departments(row.get("UF_DEPARTMENT"), room))


def _departments(value: object, room: int) -> frozenset[int]:
    """The department ids in a list; a user without departments has `false`, null or nothing instead."""
    values = value if isinstance(value, list) else [value]
    numbers = (read_whole(item) for item in values)
    most = min(MOST_DEPARTMENTS_OF_USER + 1, room)
    return frozenset(nsmallest(most, {number for number in numbers if number}))
