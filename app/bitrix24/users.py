"""The portal's users. Documentation: api-reference/user/user-get.md (scope user_brief is enough)."""

import msgspec

from app.bitrix24.profile import full_name
from app.bitrix24.rest import MAX_BATCH, Command, PortalClient
from app.bitrix24.transfer import read_number

PAGE = 50
_FIELDS = ("ID", "NAME", "LAST_NAME", "ACTIVE")


class User(msgspec.Struct, frozen=True):
    """One user of a portal; dismissed ones are not active but have made calls."""

    user_id: int
    name: str
    is_active: bool


async def list_users(client: PortalClient, access_token: str) -> list[User]:
    """All users, the first page by itself and the others in batches. Raises as `PortalClient.call` does."""
    first = await client.call("user.get", _page(0), access_token)
    rows = list(first.result) if isinstance(first.result, list) else []
    starts = list(range(PAGE, first.total or 0, PAGE)) if first.next is not None else []
    for begin in range(0, len(starts), MAX_BATCH):
        commands: dict[str, Command] = {
            f"from{start}": ("user.get", _page(start)) for start in starts[begin : begin + MAX_BATCH]
        }
        answer = await client.batch(commands, access_token, is_halting=True)
        for error in answer.errors.values():
            raise error
        for page in answer.results.values():
            rows.extend(page if isinstance(page, list) else [])
    return list({user.user_id: user for user in map(_user, rows) if user is not None}.values())


def _page(start: int) -> dict[str, object]:
    return {"sort": "ID", "order": "ASC", "select": list(_FIELDS), "start": start}


def _user(row: object) -> User | None:
    user_id = read_number(row.get("ID")) if isinstance(row, dict) else None
    if user_id is None or not isinstance(row, dict):
        return None
    return User(user_id, full_name(row), row.get("ACTIVE", True) in (True, 1, "1", "Y", "true"))
