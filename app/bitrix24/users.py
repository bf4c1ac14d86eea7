"""The portal's users. Documentation: api-reference/user/user-get.md (scope user_brief is enough)."""

from heapq import nsmallest

import msgspec

from app.bitrix24.paging import list_rows
from app.bitrix24.profile import full_name
from app.bitrix24.rest import PortalClient
from app.kit.decoding import read_whole

MOST_USERS = 50_000  # Several times as many as the largest of portals has.
MOST_DEPARTMENTS_OF_USER = 100  # Most people belong to one or two.
_FIELDS = ("ID", "NAME", "LAST_NAME", "ACTIVE", "UF_DEPARTMENT")


class User(msgspec.Struct, frozen=True):
    """One user of a portal; dismissed ones are not active but have made calls.

    Of more departments than we take of a user one more is told than that, so that it shows.
    """

    user_id: int
    name: str
    is_active: bool
    department_ids: frozenset[int] = frozenset()


async def list_users(client: PortalClient, access_token: str) -> list[User]:
    """All users but bots, partners and other system users, whom the method never lists, up to MOST_USERS.
    Raises as `PortalClient.call` does.
    """
    parameters = {"sort": "ID", "order": "ASC", "select": list(_FIELDS)}
    users: dict[int, User] = {}
    async for rows in list_rows(client, access_token, "user.get", parameters):
        users |= {user.user_id: user for user in map(_user, rows) if user is not None}
        if len(users) >= MOST_USERS:
            break
    return list(users.values())[:MOST_USERS]


def _user(row: object) -> User | None:
    user_id = read_whole(row.get("ID")) if isinstance(row, dict) else None
    if user_id is None or not isinstance(row, dict):
        return None
    is_active = row.get("ACTIVE", True) in (True, 1, "1", "Y", "true")
    return User(user_id, full_name(row), is_active, _departments(row.get("UF_DEPARTMENT")))


def _departments(value: object) -> frozenset[int]:
    """A list, or for who belongs to none `false`, null or nothing."""
    values = value if isinstance(value, list) else [value]
    numbers = (read_whole(item) for item in values)
    return frozenset(nsmallest(MOST_DEPARTMENTS_OF_USER + 1, {number for number in numbers if number}))
