"""An exception is caught by its own meaning: its parent is a kind, never the meaning of another exception."""

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.sources import Source, parse, read_app

# The kinds: each says how a request is answered, or which side failed.
KINDS = {"BitrixFailure", "BitrixError", "Refusal", "Forbidden", "Unavailable"}
# Exceptions below another meaning, with the reason why each handler of the parent means them too.
BELOW_ANOTHER = {
    "NotSent": ("Unreachable", "no answer came, and the other side has done nothing either"),
}


def find_wrong_parents(sources: Iterable[Source]) -> Iterator[str]:
    """Each exception that is caught wherever another meaning is caught."""
    parents = dict(_list_parents(sources))
    for name, bases in sorted(parents.items()):
        for base in bases:
            if base in parents and base not in KINDS and BELOW_ANOTHER.get(name, ("", ""))[0] != base:
                yield f"{name} is caught as {base}"


def _list_parents(sources: Iterable[Source]) -> Iterator[tuple[str, list[str]]]:
    """The exceptions of these modules with the names of their parents."""
    classes = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for source in sources
        if not source.module.startswith("app.demo.")  # It has a Refusal of its own.
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
    }
    for name, bases in classes.items():
        if _is_exception(name, classes):
            yield name, bases


def _is_exception(name: str, classes: dict[str, list[str]]) -> bool:
    if name not in classes:
        return name.endswith(("Error", "Exception"))
    return any(_is_exception(base, classes) for base in classes[name])


def test_an_exception_s_parent_is_a_kind() -> None:
    assert list(find_wrong_parents(read_app())) == []


def test_every_kind_and_every_exception_below_another_is_there() -> None:
    parents = dict(_list_parents(read_app()))
    assert set(parents) >= KINDS
    assert all(base in parents[name] for name, (base, _) in BELOW_ANOTHER.items())


@pytest.mark.parametrize(
    ("parent", "is_found"), [("Unavailable", False), ("TimeoutError", False), ("PortalSilentError", True)]
)
def test_an_exception_below_another_meaning_is_found(parent: str, *, is_found: bool) -> None:
    text = "class Refusal(Exception): pass\nclass Unavailable(Refusal): pass\n"
    text += f"class PortalSilentError(Unavailable): pass\nclass ReadLostError({parent}): pass"
    assert bool(list(find_wrong_parents([parse("app.calls.reads", text)]))) is is_found
