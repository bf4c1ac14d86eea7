"""The texts of the application, found by Babel in Python modules and templates."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract, extract_python
from jinja2.ext import babel_extract

ROOT = Path(__file__).parents[2]
COMMENT_TAG = "Translators:"  # A comment that begins so, above a text, reaches the catalogues.
JINJA_OPTIONS = {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}
Method = Callable[..., Any]


def list_sources() -> Iterator[tuple[Method, Path]]:
    """The files to read, without the stand-in for Bitrix24, which speaks English only."""
    for path in sorted((ROOT / "app").rglob("*.py")):
        if not path.is_relative_to(ROOT / "app" / "demo"):
            yield extract_python, path
    for path in sorted((ROOT / "templates").rglob("*.html")):
        yield babel_extract, path


def extract_messages() -> Catalog:
    """Every marked text, without translations."""
    found = Catalog()
    for _, text, comments, context in extract_texts():
        found.add(text, auto_comments=comments, context=context)
    return found


def extract_texts() -> Iterator[tuple[Path, Any, list[str], str | None]]:
    """Each text where it is marked: the file, the text or its plural forms, the comments, the context."""
    for method, path in list_sources():
        options = JINJA_OPTIONS if method is babel_extract else {}
        with path.open("rb") as file:
            for _, text, comments, context in extract(
                method, file, DEFAULT_KEYWORDS, (COMMENT_TAG,), options
            ):
                yield path, text, comments, context
