"""A migration blocks no table while it indexes the rows: PostgreSQL would stop all writes for that time."""

import importlib
import re
from collections.abc import Iterable, Iterator

import pytest

from app.piccolo_app import MIGRATIONS

NAMES = sorted(path.stem for path in MIGRATIONS.glob("callbook_*.py"))
INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (\w+)\s+ON (\w+)")
TABLE = re.compile(r"CREATE TABLE (\w+)")


def find_holding(statements: Iterable[str]) -> Iterator[str]:
    """The indexes of tables that the migration does not create itself."""
    text = "\n".join(statements)
    made = set(TABLE.findall(text))
    return (name for name, table in INDEX.findall(text) if table not in made)


@pytest.mark.parametrize("name", NAMES)
def test_an_index_of_a_table_with_rows_is_a_migration_of_its_own(name: str) -> None:
    module = importlib.import_module(f"migrations.{name}")
    held = list(find_holding(getattr(module, "STATEMENTS", ())))
    assert held == [], "make_index_manager builds it while others write"


def test_one_that_would_hold_calls_up_is_found() -> None:
    made = "CREATE TABLE a (id BIGINT)"
    assert list(find_holding([made, "CREATE INDEX a_id ON a (id)", "CREATE INDEX b ON calls (id)"])) == ["b"]
