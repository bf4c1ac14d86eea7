"""Calls are read for a viewer through one condition, so that no surface can forget the viewer's rights."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.architecture.sources import Source, is_queries, parse, read_app

CONDITION = "is_visible"
CALL_TABLES = {"CallTable", "CallLegTable"}
CALLS_IN_SQL = re.compile(r"\b(FROM|JOIN|INTO|UPDATE)\s+(calls|call_legs)\b")

# Queries on calls that serve no viewer, each with its reason.
FOR_NO_VIEWER: dict[str, str] = {
    "app.calls.removal.retention_queries.purge_some_calls": "A purge deletes all calls that are too old.",
    "app.calls.space.removal_queries.evict_some_calls": (
        "At a quota the oldest unconfirmed calls of all users go."
    ),
    "app.calls.space.removal_queries.remove_calls": "A purge or an eviction removes its own choice.",
    "app.calls.space.usage_queries.count_page": "A count is of all that a portal stores.",
    "app.calls.removal.erasure_queries.delete_some_calls": "An erasure deletes all that the portal has.",
    "app.calls.removal.erasure_queries.delete_some_legs": "An erasure deletes all that the portal has.",
    "app.calls.removal.erasure_queries.has_calls": "An erasure asks whether any call is left.",
    "app.calls.statistics.audit_queries.count_stored": "An audit counts all rows of the portal.",
    "app.calls.statistics.audit_queries.list_stored": "An audit compares all rows of the portal.",
    "app.calls.statistics.audit_queries.list_lacked": "An audit judges the lacked rows of all users.",
    "app.calls.statistics.audit_queries.find_newest_stored": "An audit compares all rows of the portal.",
    "app.calls.statistics.audit_queries.has_rows": "A read asks for a row of any user.",
    "app.calls.statistics.audit_queries.has_lacked": "An audit asks for lacked rows of all users.",
    "app.calls.store.call_queries.load_calls": "All legs of a call decide its fields.",
    "app.calls.statistics.fetch.merge_queries.find_holders": "A read asks for the call of a row of any user.",
    "app.calls.statistics.fetch.merge_queries.list_unsettled": "A read forgets all legs that are too old.",
    "app.calls.log.log_queries.select_legs": "A visible call shows all its legs; the calls were cut before.",
}


def find_queries_for_anybody(sources: Iterable[Source], exceptions: Mapping[str, str]) -> Iterator[str]:
    """Each public query on calls that does not cut them by `visible`, taken second, and is not excepted."""
    for source in sources:
        if not is_queries(source.module) or not source.module.startswith("app.calls."):
            continue
        for function in source.tree.body:
            if isinstance(function, ast.AsyncFunctionDef) and not function.name.startswith("_"):
                name = f"{source.module}.{function.name}"
                if _reads_calls(function) and not _is_cut(function) and name not in exceptions:
                    yield f"{name} (line {function.lineno})"


def _reads_calls(function: ast.AsyncFunctionDef) -> bool:
    statements = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
    is_in_sql = any(isinstance(text, str) and CALLS_IN_SQL.search(text) for text in statements)
    return is_in_sql or bool(_names(function) & CALL_TABLES)


def _is_cut(function: ast.AsyncFunctionDef) -> bool:
    arguments = [argument.arg for argument in function.args.args]
    return arguments[:2] == ["portal_id", "visible"] and CONDITION in _names(function)


def _names(function: ast.AsyncFunctionDef) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def test_every_query_on_calls_is_cut_to_what_its_viewer_may_see() -> None:
    assert list(find_queries_for_anybody(read_app(), FOR_NO_VIEWER)) == []


def test_every_exception_exists_and_has_its_reason() -> None:
    needed = {line.partition(" ")[0] for line in find_queries_for_anybody(read_app(), {})}
    assert set(FOR_NO_VIEWER) == needed
    assert all(len(reason.split()) > 3 for reason in FOR_NO_VIEWER.values())


@pytest.mark.parametrize(
    "text",
    [
        "async def list_calls(portal_id, limit): return await CallTable.select()",
        "async def list_calls(portal_id, visible): return await CallTable.select()",
        "async def list_calls(portal_id, limit, visible): await CallTable.raw('', is_visible(1, visible))",
        "async def list_calls(portal_id, run): await run(f'SELECT l.* FROM {keys} JOIN call_legs l')",
    ],
)
def test_a_query_that_is_not_cut_is_found(text: str) -> None:
    assert len(list(find_queries_for_anybody([parse("app.calls.some_queries", text)], {}))) == 1


def test_a_query_that_is_cut_passes() -> None:
    text = "async def f(portal_id, visible): await CallTable.select().where(is_visible(portal_id, visible))"
    assert list(find_queries_for_anybody([parse("app.calls.some_queries", text)], {})) == []
