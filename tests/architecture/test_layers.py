"""Imports point one way: assembly, web, calls and people, portals, bitrix24, settings, kit."""

from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.sources import Source, list_imports, parse, read_app

# The parts of app that each package may import besides itself. Any other module directly under app/ puts the
# parts together and may import all of these; only another such module imports it.
MAY_IMPORT = {
    "kit": set[str](),
    "settings": {"kit"},
    "bitrix24": {"kit", "settings"},
    "portals": {"kit", "settings", "bitrix24"},
    "people": {"kit", "settings", "bitrix24", "portals"},
    "calls": {"kit", "settings", "bitrix24", "portals"},
    "web": {"kit", "settings", "bitrix24", "portals", "people", "calls"},
    "demo": {"kit"},
}
ASSEMBLY = "assembly"
ASSEMBLY_PACKAGES = {"commands"}
ASSEMBLY_MAY_IMPORT = set(MAY_IMPORT) - {"demo"} | {ASSEMBLY}
# Protocol only: bitrix24 returns its results, stores nothing and serves no one.
NOT_IN_BITRIX24 = {"piccolo", "aiosqlite", "asyncpg", "litestar"}


def find_wrong_imports(sources: Iterable[Source]) -> Iterator[str]:
    """Each import against the arrows, with its line, and each package without a place in the order."""
    for source in sources:
        own = _layer(source.module)
        package = source.module.split(".")[1:-1]
        if own == ASSEMBLY and package and package[0] not in ASSEMBLY_PACKAGES:
            yield f"{source.module}: its package has no place in MAY_IMPORT"
            continue
        allowed = ASSEMBLY_MAY_IMPORT if own == ASSEMBLY else MAY_IMPORT[own] | {own}
        for imported in list_imports(source):
            top = imported.target.partition(".")[0]
            is_against = top == "app" and _layer(imported.target) not in allowed
            if is_against or (own == "bitrix24" and top in NOT_IN_BITRIX24):
                yield f"{source.module}:{imported.line} imports {imported.target}"


def _layer(module: str) -> str:
    """The package below app that a dotted name belongs to; ASSEMBLY for modules directly under app."""
    name = [*module.split("."), ""][1]
    return name if name in MAY_IMPORT else ASSEMBLY


def test_imports_of_app_point_one_way() -> None:
    assert list(find_wrong_imports(read_app())) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("app.kit.clock", "from app.settings import Settings"),
        ("app.kit.clock", "import app.web.frame.pages"),
        ("app.settings", "from app.bitrix24 import address"),
        ("app.bitrix24.rest.portal_client", "from app.portals.vault import read_token"),
        ("app.bitrix24.rest.portal_client", "from piccolo.table import Table"),
        ("app.portals.vault", "def read():\n    from app.calls import queries"),
        ("app.portals.vault", "from ..web import pages"),
        ("app.calls.intake.group_commit", "from app import web"),
        ("app.calls.intake.group_commit", "from app.people.queries import list_people"),
        ("app.people.service", "from app.calls.queries import list_calls"),
        ("app.web.frame.pages", "from app.wiring import build"),
        ("app.web.frame.pages", "from app import asgi"),
        ("app.web.frame.pages", "from app.demo import frame"),
        ("app.wiring", "from app.demo.frame.frame import Frame"),
        ("app.demo.frame.frame", "from app.settings import Settings"),
        ("app.demo.frame.frame", "from app.bitrix24.incoming.payloads import Event"),
        ("app.newcomer.thing", "import json"),
    ],
)
def test_an_import_against_the_arrows_is_found(module: str, text: str) -> None:
    assert len(list(find_wrong_imports([parse(module, text)]))) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (
            "app.web.frame.pages",
            "from app.calls import queries\nfrom app.kit.clock import Clock\nimport litestar",
        ),
        (
            "app.wiring",
            "from app.web import pages\nfrom app.scheduler import start\nfrom app.settings import Settings",
        ),
        ("app.demo.frame.frame", "from app.kit.clock import Clock\nfrom app.demo.oauth import Server"),
        ("app.portals.vault", "from . import queries\nfrom ..bitrix24.oauth import TokenPair"),
    ],
)
def test_an_import_along_the_arrows_passes(module: str, text: str) -> None:
    assert list(find_wrong_imports([parse(module, text)])) == []
