"""Links, paths, folders and words in the documents exist, and none leads outside of the repository."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from tests.architecture.sources import ROOT, list_tracked_texts
from tests.architecture.test_plain_english import KINDS, MOST, WORD
from tests.architecture.test_shelves import FLOORS

MOST_README_BYTES = 12_000
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SOURCE = re.compile(r'(?:src|srcset)="([^"]+)"')
PATH = re.compile(r"`((?:app|docs|migrations|scripts|static|templates|tests)/[\w./-]*\w)/?`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
# `name` in [file](path), or `name` in `path`.
NAMED = re.compile(r"`(\w+)` (?:in|of) (?:\[[^\]]*\]\(([^)#]+\.py)\)|`([\w/]+\.py)`)")
FOLDER = re.compile(r"^\| \[(app[^\]]*)\]", re.MULTILINE)
OUTSIDE = re.compile(r"(?<![\w./])shared/\w+")  # A folder that no checkout has.


def read_documents() -> dict[str, str]:
    """Every document, by its path."""
    return {name: text for name, text in list_tracked_texts().items() if name.endswith(".md")}


def find_dead_links(name: str, documents: Mapping[str, str]) -> Iterator[str]:
    """Each link of this document to a file, a folder or a heading that is not there."""
    text = FENCE.sub("", documents[name])
    for target in [*LINK.findall(text), *SOURCE.findall(text)]:
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        full = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        is_there = (ROOT / full).exists()
        if not is_there or (anchor and anchor not in list_anchors(documents.get(full, ""))):
            yield f"{name}: {target}"


def list_anchors(text: str) -> list[str]:
    """The headings of a document as links name them."""
    headings = (heading.replace("`", "").lower() for heading in HEADING.findall(FENCE.sub("", text)))
    return [re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings]


def find_dead_paths(name: str, text: str) -> Iterator[str]:
    """Each path in backticks that is not there."""
    yield from (f"{name}: {path}" for path in PATH.findall(FENCE.sub("", text)) if not (ROOT / path).exists())


def find_dead_names(name: str, text: str) -> Iterator[str]:
    """Each name that is said to be in a module and is not."""
    for word, link, path in NAMED.findall(text):
        full = posixpath.normpath(posixpath.join(posixpath.dirname(name), link)) if link else path
        if (ROOT / full).exists() and not re.search(rf"\b{word}\b", (ROOT / full).read_text("utf-8")):
            yield f"{name}: {word} in {full}"


def find_ways_out(name: str, text: str) -> Iterator[str]:
    """Each place that sends its reader to a folder outside of the repository."""
    yield from (f"{name}: {found}" for found in OUTSIDE.findall(text))


def read_words(text: str) -> list[tuple[str, str]]:
    """Each word of the glossary, and the cell that says where it lives."""
    rows = [row for row in ROW.findall(text) if not row[0].startswith(("-", "word"))]
    return [(word, place) for word, _, place in rows]


@pytest.mark.parametrize("name", sorted(read_documents()))
def test_links_paths_and_names_lead_somewhere(name: str) -> None:
    documents = read_documents()
    text = documents[name]
    dead = [*find_dead_links(name, documents), *find_dead_paths(name, text), *find_dead_names(name, text)]
    assert dead == []


def test_nobody_is_sent_out_of_the_repository() -> None:
    texts = list_tracked_texts().items()
    assert [
        way for name, text in texts if not name.startswith("tests/") for way in find_ways_out(name, text)
    ] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= MOST_README_BYTES


def test_documents_name_the_noun() -> None:
    texts = [text for name, text in read_documents().items() if not name.startswith("docs/decisions/")]
    words = WORD.findall("\n".join(texts).lower())
    found = Counter(KINDS[word] for word in words if word in KINDS)
    assert {kind: n for kind, n in found.items() if 1000 * n > MOST[kind] * len(words)} == {}


def test_the_glossary_is_in_order_and_names_modules() -> None:
    words = read_words((ROOT / "docs" / "glossary.md").read_text("utf-8"))
    names = [word for word, _ in words]
    assert names == sorted(set(names))
    assert [word for word, place in words if not re.search(r"\]\(\.\./app/[\w/]+\.py\)", place)] == []


def test_the_architecture_names_the_floors_in_their_order() -> None:
    found = FOLDER.findall((ROOT / "docs" / "architecture.md").read_text("utf-8"))
    named = [path.replace("\\", "").removesuffix(".py").replace("/", ".") for path in found]
    assert named == list(FLOORS)


def test_what_is_not_there_is_found() -> None:
    documents = {"docs/a.md": "[x](../app/none.py) [y](#b) [z](b.md#c) `app/none/`", "docs/b.md": "## `C`, d"}
    assert len(list(find_dead_links("docs/a.md", documents))) == 3
    assert len(list(find_dead_paths("docs/a.md", documents["docs/a.md"]))) == 1
    assert list_anchors(documents["docs/b.md"]) == ["c-d"]
    place = "app/portals/tokens/purchases.py"
    named = f"`buy` in [purchases](../{place}), `sell` in `{place}`"
    assert list(find_dead_names("docs/a.md", named)) == [f"docs/a.md: sell in {place}"]


def test_a_way_out_is_found() -> None:
    assert list(find_ways_out("app/a.py", "As shared/interface.md says; not kit/shared/reads.")) != []
    assert list(find_ways_out("app/a.py", "app/kit/fairness/shared_reads.py, kit/shared/reads")) == []
