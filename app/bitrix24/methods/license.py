"""What the customer has of the app, for how long, and by which code the portal knows the app.

Documentation: api-reference/common/system/app-info.md.
"""

import msgspec

from app.bitrix24.errors import Unreachable
from app.bitrix24.rest.answers import read_text
from app.bitrix24.rest.portal_client import PortalClient
from app.kit.json_values import read_whole

MOST_DAYS = 36_500  # A century: more is no date that anybody pays up to, and might be none at all.
MAX_CODE = 255  # As of any name of an application; it stands in links.


class License(msgspec.Struct, frozen=True):
    """`status`: L local, F free, D demo, T trial, P paid, S subscription; `days_left` None where none count.

    `code` names the app in the portal's links (`/marketplace/view/CODE/`); empty when the portal tells none.
    When `is_over` the app goes on for a time of grace, then Bitrix24 closes it or makes it a demo.
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
    left = read_whole(result.get("DAYS"), 0, MOST_DAYS)  # A negative number counts what is over.
    is_over = result.get("PAYMENT_EXPIRED") == "Y"
    status, code = read_text(result["STATUS"])[:1].upper(), read_text(result.get("CODE"))[:MAX_CODE]
    return License(status, None if is_over else left, is_over, code)
