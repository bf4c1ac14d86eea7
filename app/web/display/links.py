"""Links into the log, which the portal opens in a slider (placement REST_APP_URI): `?params[call]=…`.

A link names what to show and gives no right: each user who opens it sees only calls that this user may see.
Documentation: api-reference/widgets/ui-interaction, REST_APP_URI.
"""

from typing import Literal
from urllib.parse import quote, urlencode

import msgspec

from app.calls.log.selection.parameters import MAX_TEXT
from app.kit.json_values import decode_json
from app.portals.model import Portal
from app.web.http.security import origin_of


class Wanted(msgspec.Struct, frozen=True):
    """The object of a link: a saved view by its id, the calls with a number, or the panel of one call."""

    view: int | None = None
    number: str = ""
    call: str = ""


def make_link(portal: Portal, name: Literal["view", "number", "call"], value: str) -> str:
    """The address to send to colleagues; empty while Callbook does not know the app's code in the portal."""
    if not portal.app_code:
        return ""
    code = quote(portal.app_code, safe="")
    asked = urlencode({f"params[{name}]": value}, safe="[]")
    return f"{origin_of(portal.client_endpoint)}/marketplace/view/{code}/?{asked}"


def read_wanted(placement_options: str) -> Wanted:
    """The object of the link that opened the page, from `{"view": "12"}`. A portal may also send a list, a
    word or nothing; then the object is empty.
    """
    try:
        wanted = decode_json(placement_options, Wanted, is_strict=False)
    except msgspec.MsgspecError:
        return Wanted()
    return Wanted(wanted.view, wanted.number[:MAX_TEXT].strip(), wanted.call[:MAX_TEXT])
