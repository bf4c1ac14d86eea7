"""Only queries modules know the tables and hold SQL; all other code asks them."""

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.sources import Source, is_queries, list_imports, parse, read_app

STATEMENT = re.compile(r"\b(SELECT\s|INSERT INTO|UPDATE\s|DELETE FROM)")
# Its statements are about the database itself and name no table of Callbook's.
THE_DATABASE = "app.kit.storage."


def find_table_imports(sources: Iterable[Source]) -> Iterator[str]:
    """Each import from a tables module in a module that is no queries module and no assembly."""
    for source in sources:
        if _may_import_tables(source.module):
            continue
        for imported in list_imports(source):
            parts = imported.target.split(".")
            if parts[0] == "app" and "tables" in parts[1:]:
                yield f"{source.module}:{imported.line} imports {imported.target}"


def _may_import_tables(module: str) -> bool:
    parts = module.split(".")
    is_assembly = len(parts) == 2
    return is_assembly or parts[-1] == "tables" or is_queries(module)


def find_statements_outside_queries(sources: Iterable[Source]) -> Iterator[str]:
    """Each text with SQL in a module that is no queries module; docstrings are left out."""
    for source in sources:
        if is_queries(source.module) or source.module.startswith(THE_DATABASE):
            continue
        docstrings = {id(node.value) for node in ast.walk(source.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(source.tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in docstrings else None
            if isinstance(text, str) and STATEMENT.search(text):
                yield f"{source.module}: {text.strip()[:40]}"


def test_only_queries_and_assembly_import_tables() -> None:
    assert list(find_table_imports(read_app())) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("app.calls.intake.group_commit", "from app.calls.tables import CallTable"),
        ("app.calls.intake.group_commit", "from app.calls import tables"),
        ("app.web.api.endpoints", "def read():\n    import app.calls.tables as calls"),
        ("app.portals.vault", "from .tables import PortalTable"),
        ("app.kit.storage.database", "from app.tables import TABLES"),
    ],
)
def test_a_table_outside_queries_is_found(module: str, text: str) -> None:
    assert len(list(find_table_imports([parse(module, text)]))) == 1


@pytest.mark.parametrize(
    "module",
    ["app.calls.queries", "app.calls.queries.log", "app.calls.leg_queries", "app.wiring", "app.calls.tables"],
)
def test_a_table_in_queries_or_assembly_passes(module: str) -> None:
    assert list(find_table_imports([parse(module, "from app.portals.tables import PortalTable")])) == []


def test_only_queries_hold_sql() -> None:
    assert list(find_statements_outside_queries(read_app())) == []


@pytest.mark.parametrize(
    "text",
    [
        "PROBE = 'INSERT INTO facts (name) VALUES (1)'",
        "async def read(run): await run(f'SELECT id FROM {table}')",
        "async def write(run): await run('UPDATE portals SET state = 1')",
        "async def forget(run): await run('DELETE FROM ' + table)",
        "async def hold(run): await run('WITH due AS (SELECT 1) SELECT * FROM due')",
    ],
)
def test_sql_outside_queries_is_found(text: str) -> None:
    assert len(list(find_statements_outside_queries([parse("app.calls.intake.group_commit", text)]))) == 1
    assert list(find_statements_outside_queries([parse("app.calls.intake.intake_queries", text)])) == []


def test_a_docstring_that_speaks_of_sql_passes() -> None:
    text = 'def hold():\n    """Holds the row by SELECT … FOR UPDATE."""'
    assert list(find_statements_outside_queries([parse("app.calls.intake.group_commit", text)])) == []
