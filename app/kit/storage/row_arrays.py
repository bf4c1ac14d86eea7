"""Many rows as one parameter: one statement text for any number of rows, and no limit of parameters."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from app.kit.storage.database import Database

_encode = msgspec.json.Encoder().encode


def rows_from(database: Database, types: Mapping[str, str]) -> str:
    """SQL for a table of rows, passed as one JSON parameter: an array of arrays in the order of `types`."""
    if database.is_sqlite:
        columns = ", ".join(f"value->>{i} AS {name}" for i, name in enumerate(types))
        return f"(SELECT {columns} FROM json_each(?))"  # noqa: S608  Our own column names only.
    columns = ", ".join(f"(value->>{i})::{kind} AS {name}" for i, (name, kind) in enumerate(types.items()))
    return f"(SELECT {columns} FROM jsonb_array_elements($1::jsonb))"  # noqa: S608  As above.


def encode_rows(rows: Iterable[Sequence[object]]) -> str:
    """The JSON parameter of `rows_from`."""
    return _encode(list(rows)).decode()
