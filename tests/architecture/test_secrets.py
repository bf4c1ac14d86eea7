"""Secrets are compared in constant time, only by hmac.compare_digest."""

import ast
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.architecture.sources import Source, list_imports, parse, read_app

ENDINGS = ("_hash", "application_token", "secret")
EVENT_PATH = "app.web.events"


def find_plain_comparisons(sources: Iterable[Source]) -> Iterator[str]:
    """Each ``==`` or ``!=`` on a value that is a secret by its name.

    Comparing with a literal says nothing of a secret. A column of a table is compared by the database, in a
    condition that the query builder makes of ``==``.
    """
    for source in sources:
        for node in ast.walk(source.tree):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            is_plain = any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
            is_harmless = any(isinstance(side, ast.Constant) or _is_column(source, side) for side in sides)
            if is_plain and not is_harmless and any(_is_secret(side) for side in sides):
                yield f"{source.module}:{node.lineno} {ast.unparse(node)}"


def find_constant_time_comparisons(sources: Iterable[Source], start: str) -> set[str]:
    """The places where a secret goes through hmac.compare_digest, in modules that ``start`` reaches by
    imports.
    """
    by_module = {source.module: source for source in sources}
    found = set()
    for module in _list_reachable(by_module, start):
        source = by_module[module]
        calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
        digests = [call for call in calls if source.dotted(call.func) == "hmac.compare_digest"]
        if any(_is_secret(argument) for call in digests for argument in call.args):
            found.add(module)
    return found


def _list_reachable(by_module: Mapping[str, Source], start: str) -> set[str]:
    reached, waiting = set[str](), [start]
    while waiting:
        module = waiting.pop()
        if module in by_module and module not in reached:
            reached.add(module)
            targets = [imported.target for imported in list_imports(by_module[module])]
            waiting += [*targets, *(target.rpartition(".")[0] for target in targets)]
    return reached


def _is_secret(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return _is_secret(node.func) or any(_is_secret(argument) for argument in node.args)
    if isinstance(node, ast.Subscript):
        return _is_secret(node.slice)
    name = {ast.Name: "id", ast.Attribute: "attr", ast.Constant: "value"}.get(type(node), "")
    return str(getattr(node, name, "")).lower().endswith(ENDINGS)


def _is_column(source: Source, node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and ".tables." in source.dotted(node.value)


def test_no_secret_is_compared_plainly() -> None:
    # The stand-in for Bitrix24 protects nothing: its secrets are invented and printed.
    ours = [source for source in read_app() if not source.module.startswith("app.demo")]
    assert list(find_plain_comparisons(ours)) == []


def test_the_event_path_compares_by_compare_digest() -> None:
    sources = read_app()
    if not any(source.module == EVENT_PATH for source in sources):
        return
    assert find_constant_time_comparisons(sources, EVENT_PATH), "no compare_digest on a token or hash"


@pytest.mark.parametrize(
    "text",
    [
        "ok = portal.application_token_hash == seen",
        "ok = seen != application_token",
        "ok = event['application_token'] == seen",
        "ok = digest(application_token) == seen",
        "ok = settings.client_secret == posted",
        "if a < 1 and posted == CLIENT_SECRET: ...",
    ],
)
def test_a_plain_comparison_is_found(text: str) -> None:
    assert len(list(find_plain_comparisons([parse("app.web.events", text)]))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "ok = hmac.compare_digest(portal.application_token_hash, seen)",
        "ok = application_token == ''",
        "ok = application_token is None",
        "from app.portals.tables import PortalTable\nok = PortalTable.application_token_hash == seen",
        "ok = member_id == posted",
    ],
)
def test_a_harmless_comparison_passes(text: str) -> None:
    assert list(find_plain_comparisons([parse("app.portals.queries", text)])) == []


def test_an_event_path_without_compare_digest_is_found() -> None:
    start = parse(EVENT_PATH, "from app.portals.entrance.admission import admit")
    good = parse(
        "app.portals.entrance.admission", "import hmac as h\nh.compare_digest(token_hash, seen_hash)"
    )
    bad = parse("app.portals.entrance.admission", "import hmac\nhmac.compare_digest(name, other)")
    assert find_constant_time_comparisons([start, good], EVENT_PATH) == {"app.portals.entrance.admission"}
    assert find_constant_time_comparisons([start, bad], EVENT_PATH) == set()
    assert find_constant_time_comparisons([parse(EVENT_PATH, "import json"), good], EVENT_PATH) == set()
