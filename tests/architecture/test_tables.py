"""Only queries know the tables: everything else asks them."""

from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.sources import Source, is_queries, list_imports, parse, read_app


def find_table_imports(sources: Iterable[Source]) -> Iterator[str]:
    """Each import from a tables module by one that is no queries module and puts no parts together."""
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
