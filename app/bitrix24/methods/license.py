"""The customer's license of the app: its kind, its days left, and the portal's code for the app.

Documentation: api-reference/common/system/app-info.md.
"""

import msgspec

from app.bitrix24.errors import Unreachable
from app.bitrix24.rest.answers import read_text
from app.bitrix24.rest.portal_client import PortalClient
from app.kit.json_values import read_whole

MOST_DAYS = 36_500  # A century: nobody pays for longer, and a later day might have no date.
MAX_CODE = 255  # The limit of any name of an application; the code stands in links.


class License(msgspec.Struct, frozen=True):
    """`status`: L local, F free, D demo, T trial, P paid, S subscription; `days_left` is None without a
    limit.

    `code` names the app in the portal's links (`/marketplace/view/CODE/`); empty when the portal tells none.
    With `is_over` the app works on for a time of grace, then Bitrix24 closes it or makes it a demo.
    """

    status: str
    days_left: int | None
    is_over: bool
    code: str


async def fetch_license(client: PortalClient, access_token: str) -> License:
    """Ask the portal's own `app.info`, which needs no right; raises as `PortalClient.call` does."""
    result = (await client.call("app.info", {}, access_token)).result
    if not isinstance(result, dict) or not read_text(result.get("STATUS")):
        raise Unreachable("the answer of app.info names no status")
    left = read_whole(result.get("DAYS"), 0, MOST_DAYS)  # A negative number counts the days since the end.
    is_over = result.get("PAYMENT_EXPIRED") == "Y"
    status, code = read_text(result["STATUS"])[:1].upper(), read_text(result.get("CODE"))[:MAX_CODE]
    return License(status, None if is_over else left, is_over, code)
