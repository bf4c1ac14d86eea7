"""Structures of more than four fields are made by the fields' names: no reader remembers an order of
twenty.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest

from tests.architecture.sources import Source, parse, read_app

FIELDS_BY_ORDER = 4
BASES = {"msgspec.Struct", "typing.NamedTuple"}
DATACLASS = "dataclasses.dataclass"


class Kind(NamedTuple):
    """A class: the number of its own fields, its bases in full, and whether it takes keywords only."""

    fields: int
    bases: Sequence[str]
    is_tuple: bool
    is_by_name: bool


def find_made_by_order(sources: Sequence[Source]) -> Iterator[str]:
    """Each struct and dataclass of more fields that takes them by their order, and each call that gives a
    named tuple of more fields any of them by its order; a named tuple cannot refuse that.
    """
    kinds = dict(_list_kinds(sources))
    large = {name for name in kinds if _count_fields(kinds, name) > FIELDS_BY_ORDER}
    for name in sorted(large):
        chain = [kinds[one] for one in _list_chain(kinds, name)]
        refuses = all(kind.is_by_name for kind in chain if kind.fields)
        if not refuses and not any(kind.is_tuple for kind in chain):
            yield f"{name} takes its fields by their order"
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and node.args and _resolve(source, node.func) in large:
                yield f"{source.module}:{node.lineno} gives fields by their order"


def _list_kinds(sources: Iterable[Source]) -> Iterator[tuple[str, Kind]]:
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                yield f"{source.module}.{node.name}", _read_kind(source, node)


def _read_kind(source: Source, node: ast.ClassDef) -> Kind:
    decorators = {
        source.dotted(call.func if isinstance(call, ast.Call) else call): call for call in node.decorator_list
    }
    bases = [_resolve(source, base) for base in node.bases]
    decorator = decorators.get(DATACLASS)
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else node.keywords
    is_by_name = any(keyword.arg == "kw_only" for keyword in keywords)
    fields = sum(isinstance(one, ast.AnnAssign) for one in node.body)
    own = ["msgspec.Struct"] if decorator is not None else []
    return Kind(fields, [*bases, *own], "typing.NamedTuple" in bases, is_by_name)


def _resolve(source: Source, node: ast.expr) -> str:
    """A name in full; one that is not imported is the module's own."""
    name = source.dotted(node)
    return f"{source.module}.{name}" if name.isidentifier() else name


def _list_chain(kinds: Mapping[str, Kind], name: str) -> Iterator[str]:
    """The class and its bases with fields."""
    if name in kinds:
        yield name
        for base in kinds[name].bases:
            yield from _list_chain(kinds, base)


def _count_fields(kinds: Mapping[str, Kind], name: str) -> int:
    """The fields of a struct, dataclass or named tuple; 0 of any other class."""
    chain = list(_list_chain(kinds, name))
    is_one = any(base in BASES for one in chain for base in kinds[one].bases)
    return sum(kinds[one].fields for one in chain) if is_one else 0


def test_what_has_more_than_four_fields_is_made_by_their_names() -> None:
    assert list(find_made_by_order(read_app())) == []


FIVE = "    a: int\n    b: int\n    c: int\n    d: int\n    e: int\n"


@pytest.mark.parametrize(
    "text",
    [
        f"import msgspec\nclass Many(msgspec.Struct):\n{FIVE}",
        f"from msgspec import Struct\nclass Many(Struct, frozen=True):\n{FIVE}",
        f"from dataclasses import dataclass\n@dataclass\nclass Many:\n{FIVE}",
        f"import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass Many:\n{FIVE}",
        f"import msgspec\nclass Few(msgspec.Struct):\n    z: int\nclass Many(Few, kw_only=True):\n{FIVE}",
        f"from typing import NamedTuple\nclass Many(NamedTuple):\n{FIVE}\nMany(1, b=2, c=3, d=4, e=5)",
        f"from typing import NamedTuple\nclass Many(NamedTuple):\n{FIVE}\nMany(*values)",
    ],
)
def test_fields_by_their_order_are_found(text: str) -> None:
    assert len(list(find_made_by_order([parse("app.x.many", text)]))) == 1


@pytest.mark.parametrize(
    "text",
    [
        f"import msgspec\nclass Many(msgspec.Struct, kw_only=True):\n{FIVE}",
        f"from dataclasses import dataclass\n@dataclass(kw_only=True)\nclass Many:\n{FIVE}",
        f"from typing import NamedTuple\nclass Many(NamedTuple):\n{FIVE}\nMany(a=1, b=2, c=3, d=4, e=5)",
        "import msgspec\nclass Few(msgspec.Struct):\n    a: int\n    b: int\nFew(1, 2)",
        f"class Plain:\n{FIVE}\nPlain(1)",
    ],
)
def test_fields_by_their_names_and_few_fields_pass(text: str) -> None:
    assert list(find_made_by_order([parse("app.x.many", text)])) == []


def test_a_call_in_another_module_is_found() -> None:
    many = parse("app.x.many", f"from typing import NamedTuple\nclass Many(NamedTuple):\n{FIVE}")
    call = parse("app.y.calls", "from app.x import many\nmany.Many(1, 2, 3, 4, 5)")
    assert len(list(find_made_by_order([many, call]))) == 1
