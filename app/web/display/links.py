"""Links into the log, which the portal opens in a slider (placement REST_APP_URI): `?params[call]=…`.

What stands in a link is what is asked for and never a right: whoever opens it sees what they may see.
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
    """What a link asks for: a saved view by its id, calls with a number, the panel of one call."""

    view: int | None = None
    number: str = ""
    call: str = ""


def make_link(portal: Portal, name: Literal["view", "number", "call"], value: str) -> str:
    """The address for colleagues; empty while the portal has not told the code of the app."""
    if not portal.app_code:
        return ""
    code = quote(portal.app_code, safe="")
    asked = urlencode({f"params[{name}]": value}, safe="[]")
    return f"{origin_of(portal.client_endpoint)}/marketplace/view/{code}/?{asked}"


def read_wanted(placement_options: str) -> Wanted:
    """What the page was opened for: `{"view": "12"}`. A portal may send a list, a word or nothing."""
    try:
        wanted = decode_json(placement_options, Wanted, is_strict=False)
    except msgspec.MsgspecError:
        return Wanted()
    return Wanted(wanted.view, wanted.number[:MAX_TEXT].strip(), wanted.call[:MAX_TEXT])
