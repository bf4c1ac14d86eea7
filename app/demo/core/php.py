"""PHP's arrays on the wire, written and read: bracket keys, http_build_query, lists that are objects.

Event bodies look as in docs/bitrix24.md ("Events"); REST parameters as in
settings/how-to-call-rest-api/data-encoding.md.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, unquote_plus

_BRACKETS = re.compile(r"\[([^\]]*)\]")


def build_query(fields: Mapping[str, Any]) -> str:
    """The fields as `http_build_query` writes them: nested keys in brackets, space as `+`, nulls and empty
    arrays absent, false as 0.
    """
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in _flatten(fields))


def _flatten(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in fields.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, Mapping):
            yield from _flatten(value, name)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield from _flatten({str(index): item for index, item in enumerate(value)}, name)
        elif value is not None:
            yield name, str(int(value)) if isinstance(value, bool) else str(value)


def _encode(text: str) -> str:
    return quote_plus(text, safe="").replace("~", "%7E")


def parse_query(query: str) -> dict[str, Any]:
    """The fields as `parse_str` reads them: bracket keys become nested dicts, `[]` counts up, the last value
    of a key wins.
    """
    parsed: dict[str, Any] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        key = unquote_plus(name)
        head = key.split("[", 1)[0]
        _store(parsed, [head, *_BRACKETS.findall(key[len(head) :])], unquote_plus(value))
    return parsed


def _store(into: dict[str, Any], path: list[str], value: str) -> None:
    for step in path[:-1]:
        child = into.setdefault(step or str(len(into)), {})
        if not isinstance(child, dict):
            return
        into = child
    into[path[-1] or str(len(into))] = value


def as_php_array(items: Mapping[str, Any]) -> object:
    """A dict as json_encode writes a PHP array: `[]` when empty, a list when its keys count from 0."""
    if list(items) == [str(index) for index in range(len(items))]:
        return list(items.values())
    return dict(items)
