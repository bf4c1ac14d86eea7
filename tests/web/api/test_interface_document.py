"""docs/interface.md names the whole API as /schema documents it, and every variable of the environment."""

import re
from collections.abc import Iterator
from typing import Any

from app.asgi import create_app
from app.kit.crypto import Keyring
from app.settings import Settings
from tests.architecture.sources import ROOT
from tests.databases import KEYS

DOCUMENT = ROOT / "docs" / "interface.md"
VARIABLE = re.compile(r'"([A-Z][A-Z0-9_]+)"')  # In settings.py nothing else is a text in capitals.


def list_names(schema: dict[str, Any]) -> Iterator[str]:
    """Paths, parameters and fields of the API, as its schema has them."""
    for path, methods in schema["paths"].items():
        yield path
        for method in methods.values():
            yield from (parameter["name"] for parameter in method.get("parameters", ()))
    for component in schema["components"]["schemas"].values():
        yield from component.get("properties", {})


def find_unnamed(names: Iterator[str], text: str) -> list[str]:
    """The names that the text has nowhere as a word."""
    return sorted({name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)})


def test_the_document_names_the_whole_api() -> None:
    settings = Settings(
        client_id="local.client",
        client_secret="secret",
        app_url="https://callbook.example.com",
        keyring=Keyring.parse(KEYS),
    )
    schema = create_app(settings).openapi_schema.to_schema()
    names = list(list_names(schema))
    assert {"/api/v1/calls", "duration_from", "crm_entity"} <= set(names)
    assert find_unnamed(iter(names), DOCUMENT.read_text("utf-8")) == []


def test_the_documents_name_every_variable() -> None:
    settings = (ROOT / "app" / "settings.py").read_text("utf-8")
    names = VARIABLE.findall(settings)
    assert "METRICS_TOKEN" in names
    for document in (DOCUMENT, ROOT / "docs" / "operating.md", ROOT / "README.md"):
        assert find_unnamed(iter(names), document.read_text("utf-8")) == []


def test_a_name_that_is_missing_is_found() -> None:
    assert find_unnamed(iter(["limit", "cursor"]), "`limit` and `cursors`") == ["cursor"]
