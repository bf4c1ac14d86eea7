"""The user of a token, as the portal tells it. Documentation: api-reference/common/users/profile.md."""

import asyncio

import msgspec

from app.bitrix24.errors import INACTIVE_USER, BitrixError, Unreachable
from app.bitrix24.rest.answers import read_text
from app.bitrix24.rest.portal_client import PortalClient
from app.kit.json_values import read_whole

_YES = (True, 1, "1", "Y", "true")
_MAX_NAME = 255
_MAX_TIME_ZONE = 64  # The longest name of the time zone database has 32; a session carries it.
_DAY_S = 86_400  # No time zone is further from UTC.
TOTAL_S = 15.0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The user of a token; `time_zone` is empty when the user set none, the offset None when it is absent."""

    user_id: int
    is_admin: bool
    name: str
    time_zone: str
    time_zone_offset_s: int | None


async def fetch_profile(client: PortalClient, access_token: str) -> Profile:
    """Ask `profile`, which needs no scope; raises BitrixError `user_inactive` for a dismissed user.

    Raises Unreachable after 15 seconds in all, because a person waits for the answer.
    """
    try:
        async with asyncio.timeout(TOTAL_S):
            result = (await client.call("profile", {}, access_token)).result
    except TimeoutError:
        raise Unreachable("the portal does not say in time who the user is") from None
    if not result:
        raise BitrixError(INACTIVE_USER, 403, "the token's user is not active")
    user_id = read_whole(result.get("ID")) if isinstance(result, dict) else None
    if user_id is None:
        raise Unreachable("the answer of profile names no user")
    return Profile(
        user_id=user_id,
        is_admin=result.get("ADMIN") in _YES,
        name=full_name(result),
        time_zone=read_text(result.get("TIME_ZONE"))[:_MAX_TIME_ZONE],
        time_zone_offset_s=read_whole(result.get("TIME_ZONE_OFFSET"), -_DAY_S, _DAY_S),
    )


def full_name(user: dict[str, object]) -> str:
    """First and last name as one text, cut to 255 characters; empty when the user has neither."""
    names = (read_text(user.get("NAME")).strip(), read_text(user.get("LAST_NAME")).strip())
    return " ".join(name for name in names if name)[:_MAX_NAME]
