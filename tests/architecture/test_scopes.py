"""Moderators refuse an application that asks for an unused scope; without a needed scope a feature is
dead.
"""

import ast
import re
from collections.abc import Iterable

from app.bitrix24.scopes import METHODS_BY_SCOPE, OPTIONAL_METHODS_BY_SCOPE, WITHOUT_SCOPE
from app.demo.core.state import DEFAULT_SCOPE
from app.demo.rest.dispatch import METHODS
from tests.architecture.sources import ROOT, Source, parse, read_app

FAMILIES = ("app", "profile", "event", "placement", "user", "department", "crm", "voximplant", "disk", "im")
METHOD = re.compile(rf"(?:{'|'.join(FAMILIES)})(?:\.[a-z]+[A-Za-z]*)+|profile")
REGISTRATION = re.compile(r"^\| permissions \(scopes\) \| (.+) \|$", re.MULTILINE)


def find_methods(sources: Iterable[Source]) -> set[str]:
    """Every text in the protocol's code that is a method's name."""
    return {
        node.value
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and METHOD.fullmatch(node.value)
    }


def read_ours() -> list[Source]:
    """The code that may call a portal: all but the stand-in and the list itself."""
    return [
        source
        for source in read_app()
        if not source.module.startswith("app.demo") and source.module != "app.bitrix24.scopes"
    ]


def listed() -> set[str]:
    by_scope = METHODS_BY_SCOPE | OPTIONAL_METHODS_BY_SCOPE
    return {method for methods in by_scope.values() for method in methods} | WITHOUT_SCOPE


def test_every_method_that_is_called_has_its_scope_and_no_scope_is_unused() -> None:
    assert find_methods(read_ours()) == listed()


def test_the_registration_names_exactly_these_scopes() -> None:
    found = REGISTRATION.search((ROOT / "README.md").read_text("utf-8"))
    assert found is not None
    assert re.findall(r"`([a-z_]+)`", found[1]) == list(METHODS_BY_SCOPE)
    assert list(DEFAULT_SCOPE) == list(METHODS_BY_SCOPE)


def test_the_stand_in_demands_the_same_scopes() -> None:
    for scope, methods in (METHODS_BY_SCOPE | OPTIONAL_METHODS_BY_SCOPE).items():
        for method in methods:
            assert scope in METHODS[method].scopes, method


def test_a_method_that_is_called_is_found() -> None:
    text = 'await client.call("crm.deal.list", {}, token)\nname = "im.notify.personal.add"\nother = "im so"'
    assert find_methods([parse("app.calls.some", text)]) == {"crm.deal.list", "im.notify.personal.add"}
