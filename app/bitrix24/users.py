"""The portal's users. Documentation: api-reference/user/user-get.md (scope user_brief is enough)."""

from collections.abc import Iterable

import msgspec

from app.bitrix24.profile import full_name
from app.bitrix24.rest import MAX_BATCH, Command, PortalClient
from app.bitrix24.transfer import read_number

PAGE = 50
MAX_USERS = 100_000
_FIELDS = ("ID", "NAME", "LAST_NAME", "ACTIVE")


class User(msgspec.Struct, frozen=True):
    """One user of a portal; dismissed ones are not active but have made calls."""

    user_id: int
    name: str
    is_active: bool


async def list_users(client: PortalClient, access_token: str) -> list[User]:
    """All users, the first page by itself and the others in batches. Raises as `PortalClient.call` does.

    What a portal says of their number is only believed up to MAX_USERS, and as long as users come.
    """
    first = await client.call("user.get", _page(0), access_token)
    users = _users(first.result)
    last = min(first.total or 0, MAX_USERS) if first.next is not None else 0
    for begin in range(PAGE, last, PAGE * MAX_BATCH):
        starts = range(begin, min(begin + PAGE * MAX_BATCH, last), PAGE)
        further = await _read_pages(client, access_token, starts)
        if not further:
            break
        users |= further
    return list(users.values())


async def _read_pages(client: PortalClient, access_token: str, starts: Iterable[int]) -> dict[int, User]:
    commands: dict[str, Command] = {f"from{start}": ("user.get", _page(start)) for start in starts}
    answer = await client.batch(commands, access_token, is_halting=True)
    for error in answer.errors.values():
        raise error
    return {user_id: user for page in answer.results.values() for user_id, user in _users(page).items()}


def _users(page: object) -> dict[int, User]:
    rows = page[:PAGE] if isinstance(page, list) else []
    return {user.user_id: user for user in map(_user, rows) if user is not None}


def _page(start: int) -> dict[str, object]:
    return {"sort": "ID", "order": "ASC", "select": list(_FIELDS), "start": start}


def _user(row: object) -> User | None:
    user_id = read_number(row.get("ID")) if isinstance(row, dict) else None
    if user_id is None or not isinstance(row, dict):
        return None
    return User(user_id, full_name(row), row.get("ACTIVE", True) in (True, 1, "1", "Y", "true"))
