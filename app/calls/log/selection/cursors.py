"""Orders of the log, and where a page begins. Pure."""

import base64
import binascii
from typing import Literal, get_args

import msgspec

from app.calls.log.selection.parameters import INT64_MAX, BadFilter
from app.kit.json_values import decode_json

Sort = Literal["-started_at", "started_at", "-duration_s", "duration_s", "-cost", "cost"]
SORTS: tuple[Sort, ...] = get_args(Sort)
NEWEST_FIRST: Sort = "-started_at"
MAX_LIMIT = 500
DEFAULT_LIMIT = 50


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page, after which the next page begins. It names the order of the list, so that a
    cursor of one order is refused in another.
    """

    sort: Sort
    key: int
    row_id: int

    def to_text(self) -> str:
        """A text that the client sends back as it is. It is encoded, not sealed."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def parse_cursor(text: str | None, sort: Sort) -> Cursor | None:
    """The cursor that `to_text` wrote. Raises BadFilter for any other text, and for a cursor of another
    order.
    """
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = decode_json(raw, Cursor)
    except (binascii.Error, ValueError) as error:
        raise BadFilter("cursor is not a cursor of this list. Begin again without it.") from error
    if cursor.sort != sort or not _fits(cursor.key) or not _fits(cursor.row_id):
        raise BadFilter("cursor belongs to another list. Begin again without it.")
    return cursor


def _fits(number: int) -> bool:
    return -INT64_MAX - 1 <= number <= INT64_MAX
