"""The source files that the rules read, as syntax trees."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Source:
    """One Python module: its dotted name, its text and its tree."""

    module: str
    text: str
    tree: ast.Module
    is_package: bool = False

    @property
    def last_name(self) -> str:
        """The module's name inside its package."""
        return self.module.rpartition(".")[2]

    @cached_property
    def names(self) -> dict[str, str]:
        """The full name of each imported name."""
        return dict(_bound_names(self))

    def dotted(self, node: ast.expr) -> str:
        """A name or attribute after the imports are resolved: ``t.time`` becomes ``time.time``."""
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value)}.{node.attr}"
        return self.names.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


@dataclass(frozen=True)
class Import:
    """One imported thing, in full: ``from app.kit import clock`` imports ``app.kit.clock``."""

    target: str
    line: int


def parse(module: str, text: str, *, is_package: bool = False) -> Source:
    """Read a module's text; this is also how a test makes a sample that breaks a rule."""
    return Source(module, text, ast.parse(text), is_package)


def is_queries(module: str) -> bool:
    """Whether it is a queries module or split from one: `queries`, `lease_queries`, `queries.log`."""
    return any(part == "queries" or part.endswith("_queries") for part in module.split("."))


def read_app() -> list[Source]:
    """Every module under app/."""
    return [_read(path) for path in sorted((ROOT / "app").rglob("*.py"))]


def list_tracked_texts() -> dict[str, str]:
    """Path and text of every text file in git, or about to be, that is not deleted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    texts = {}
    for name in filter(None, listing.split("\0")):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" not in content:
            texts[name] = content.decode("utf-8", errors="replace")
    return texts


def list_imports(source: Source) -> Iterator[Import]:
    """Everything a module imports, at its top, in a function or for types only."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield from (Import(f"{base}.{alias.name}", node.lineno) for alias in node.names)


def _read(path: Path) -> Source:
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return parse(
        ".".join(parts[:-1] if is_package else parts), path.read_text("utf-8"), is_package=is_package
    )


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    dropped = node.level - 1 if source.is_package else node.level
    return ".".join([*parts[: len(parts) - dropped], *([node.module] if node.module else [])])


def _bound_names(source: Source) -> Iterator[tuple[str, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (first, first)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{_absolute(source, node)}.{alias.name}"
