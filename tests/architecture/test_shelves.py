"""The house: few rooms a folder, arrows that only point down, and names that tell one thing from another."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest

from tests.architecture.sources import Source, list_imports, parse, read_app

MOST_ROOMS = 15  # Modules of a folder's own: a reader takes in so many names at one look.

# Every folder, and every module directly under app, the ground first: each may import those before it in
# this list, and from itself.
FLOORS = (
    "app.kit",
    "app.kit.messages",
    "app.kit.fairness",
    "app.kit.storage",
    "app.settings",
    "app.bitrix24",
    "app.bitrix24.incoming",
    "app.bitrix24.transport",
    "app.bitrix24.rest",
    "app.bitrix24.methods",
    "app.portals",
    "app.portals.settings",
    "app.portals.states",
    "app.portals.absence",
    "app.portals.tokens",
    "app.portals.outbound",
    "app.portals.departure",
    "app.portals.entrance",
    "app.people",
    "app.calls",
    "app.calls.store",
    "app.calls.space",
    "app.calls.oddities",
    "app.calls.log.selection",
    "app.calls.log",
    "app.calls.statistics.progress",
    "app.calls.statistics.fetch",
    "app.calls.statistics",
    "app.calls.intake",
    "app.calls.removal",
    "app.web.http",
    "app.web.display",
    "app.web.log",
    "app.web.call",
    "app.web.settings",
    "app.web.api",
    "app.web.frame",
    "app.web.exports",
    "app.web",
    "app.tables",
    "app.piccolo_conf",
    "app.piccolo_app",
    "app.schema",
    "app.wiring",
    "app.job_ticks",
    "app.scheduler",
    "app.asgi",
    "app.commands",
    "app.__main__",
    "app.demo.core",
    "app.demo.acts",
    "app.demo.rest",
    "app.demo.frame",
    "app.demo",
)
# The same name in two folders is the same idea in both (queries, erasure); nearly the same name is a trap.
ENDINGS = ("ies", "ing", "ers", "er", "es", "ed", "s", "e", "y")
NOUNS = {"logging", "standing", "wiring"}  # End in -ing and name a thing.


def find_crowded_folders(sources: Iterable[Source]) -> Iterator[str]:
    """Each folder with more modules of its own than a reader takes in at one look."""
    rooms = Counter(source.module.rpartition(".")[0] for source in sources if not source.is_package)
    yield from (f"{folder} has {number} modules" for folder, number in rooms.items() if number > MOST_ROOMS)


def find_arrows_upward(sources: Sequence[Source], floors: Sequence[str]) -> Iterator[str]:
    """Each import of a floor above the importer's own, and each module whose floor is not in the list."""
    height = {floor: number for number, floor in enumerate(floors)}
    for module, imported in _draw_arrows(sources).items():
        own = _floor_of(module)
        if own not in height:
            yield f"{module}: {own} has no place in FLOORS"
            continue
        for target in sorted(imported):
            if height.get(_floor_of(target), -1) > height[own]:
                yield f"{module} imports {target}, which comes after it in FLOORS"


def find_circles(sources: Sequence[Source]) -> list[list[str]]:
    """The modules that are left after taking away, again and again, each module that imports none of the
    others, or that none of them imports.
    """
    arrows = _draw_arrows(sources)
    while True:
        imported = {target for targets in arrows.values() for target in targets}
        kept = {
            module: {target for target in targets if target in arrows}
            for module, targets in arrows.items()
            if targets & arrows.keys() and module in imported
        }
        if kept.keys() == arrows.keys():
            return [sorted(kept)] if kept else []
        arrows = kept


def find_names_alike(modules: Iterable[str]) -> list[list[str]]:
    """Names of modules that differ only by an ending."""
    alike = defaultdict(set)
    for module in modules:
        name = module.rpartition(".")[2]
        alike[_stem(name)].add(name)
    return [sorted(names) for names in alike.values() if len(names) > 1]


def find_moods(modules: Iterable[str]) -> list[str]:
    """Names of modules that tell a doing, although they could name a thing."""
    names = {module.rpartition(".")[2] for module in modules}
    return sorted(name for name in names if name.endswith("ing") and name.rpartition("_")[2] not in NOUNS)


def _draw_arrows(sources: Sequence[Source]) -> Mapping[str, set[str]]:
    """The modules that each module imports, without itself and the faces of packages."""
    rooms = {source.module for source in sources if not source.is_package}
    arrows: dict[str, set[str]] = {room: set() for room in sorted(rooms)}
    for source in sources:
        if source.is_package:
            continue
        for imported in list_imports(source):
            target = imported.target if imported.target in rooms else imported.target.rpartition(".")[0]
            if target in rooms and target != source.module:
                arrows[source.module].add(target)
    return arrows


def _floor_of(module: str) -> str:
    folder = module.rpartition(".")[0]
    return module if folder == "app" else folder


def _stem(name: str) -> str:
    return re.sub(rf"({'|'.join(ENDINGS)})+$", "", name) or name


def _list_modules() -> list[str]:
    return [source.module for source in read_app() if not source.is_package]


def test_no_folder_is_crowded() -> None:
    assert list(find_crowded_folders(read_app())) == []


def test_no_arrow_points_upward() -> None:
    assert list(find_arrows_upward(read_app(), FLOORS)) == []


def test_every_floor_is_there() -> None:
    assert {_floor_of(module) for module in _list_modules()} == set(FLOORS)


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert find_circles(read_app()) == []


def test_no_two_names_differ_by_an_ending() -> None:
    assert find_names_alike(_list_modules()) == []


def test_modules_are_named_by_things() -> None:
    assert find_moods(_list_modules()) == []


def test_a_crowded_folder_is_found() -> None:
    rooms = [parse(f"app.calls.chamber{number}", "") for number in range(MOST_ROOMS)]
    face = parse("app.calls", "", is_package=True)
    assert list(find_crowded_folders([*rooms, face])) == []
    assert len(list(find_crowded_folders([*rooms, parse("app.calls.one_more", "")]))) == 1


@pytest.mark.parametrize("text", ["from app.web.log import view", "def read():\n    import app.web.log.view"])
def test_an_arrow_upward_is_found(text: str) -> None:
    sources = [parse("app.calls.log.paging", text), parse("app.web.log.view", "")]
    assert len(list(find_arrows_upward(sources, ["app.calls.log", "app.web.log"]))) == 1
    assert len(list(find_arrows_upward(sources, ["app.web.log", "app.calls.log"]))) == 0


def test_a_circle_is_found_and_a_chain_is_none() -> None:
    chain = [
        parse("app.calls.a", "from app.calls.b import one"),
        parse("app.calls.b", "from app.calls import c"),
        parse("app.calls.c", ""),
    ]
    assert find_circles(chain) == []
    ring = [*chain[:2], parse("app.calls.c", "if TYPE_CHECKING:\n    from app.calls.a import two")]
    assert find_circles(ring) == [["app.calls.a", "app.calls.b", "app.calls.c"]]


@pytest.mark.parametrize(
    "names",
    [("recording", "recordings"), ("history", "histories"), ("page", "paging"), ("recorder", "recording")],
)
def test_names_that_differ_by_an_ending_are_found(names: tuple[str, str]) -> None:
    assert len(find_names_alike(f"app.x.{name}" for name in names)) == 1
    assert find_names_alike([f"app.x.{names[0]}", f"app.y.{names[0]}", "app.x.other"]) == []


def test_a_mood_is_found() -> None:
    assert find_moods(["app.x.dancing", "app.x.dancer", "app.x.logging"]) == ["dancing"]
