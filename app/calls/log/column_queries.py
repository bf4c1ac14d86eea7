"""The columns of calls as statements read them: whole for one call, with long texts cut for lists.

The database cuts the texts, so that a page stays small even if the portal has stored long texts.
"""

from piccolo.columns import Column
from piccolo.querystring import QueryString

from app.calls.store.legs import CALL_FIELDS, TEXT_FIELDS
from app.calls.tables import CallLegTable, CallTable

IN_LISTS = 255  # Only a reason or a comment can be longer; the panel shows it whole.
IN_FILES = 8_000  # As long as the longest comment that is stored (app/calls/store/legs.py).
MARK = "…"

COLUMNS = (
    *(CallTable.id, CallTable.call_id),
    *(CallTable._meta.get_column_by_name(name) for name in CALL_FIELDS),  # noqa: SLF001  Piccolo has no public way.
    *(CallTable.source, CallTable.is_confirmed, CallTable.is_gone, CallTable.received_at),
)
Readable = Column | QueryString


def cut_columns(columns: tuple[Column, ...], longest: int) -> tuple[Readable, ...]:
    """The same columns, with texts of more than `longest` characters cut and marked at their end."""
    return tuple(_cut(column, longest) if column._meta.name in TEXT_FIELDS else column for column in columns)  # noqa: SLF001  Piccolo has no public name of a column.


def _cut(column: Column, longest: int) -> QueryString:
    name = column._meta.name  # noqa: SLF001  As above.
    cut = (
        f"CASE WHEN LENGTH({name}) > {longest} THEN SUBSTR({name}, 1, {longest}) || '{MARK}' ELSE {name} END"
    )
    return QueryString(f"{cut} AS {name}")


def short_or_null(column: Column) -> QueryString:
    """The text, or null if it is too long for a list of choices: a cut text would find nothing."""
    name = column._meta.name  # noqa: SLF001  As above.
    return QueryString(f"CASE WHEN LENGTH({name}) <= {IN_LISTS} THEN {name} END AS {name}")


LISTED = cut_columns(COLUMNS, IN_LISTS)
EXPORTED = cut_columns(COLUMNS, IN_FILES)
_LEG = tuple(CallLegTable._meta.columns)  # noqa: SLF001  As above.
LISTED_LEGS = cut_columns(_LEG, IN_LISTS)
WHOLE_LEGS = cut_columns(_LEG, IN_FILES)
