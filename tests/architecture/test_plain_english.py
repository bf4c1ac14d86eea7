"""Docstrings name the actor and the thing: "the portal", "the viewer", "this process", not "who" and "what".

The limits are a ratchet: they only ever go down.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tests.architecture.sources import Source, parse, read_app

# Of each kind of stand-in for a noun, how many a thousand words of docstrings may hold.
MOST = {"what": 3.0, "who": 1.0, "anew": 0.0}
KINDS = {
    "what": "what",
    "who": "who",
    "whom": "who",
    "whoever": "who",
    "whatever": "anew",
    "anew": "anew",
}
WORD = re.compile(r"[a-z]+(?:['’][a-z]+)*")


def list_docstrings(source: Source) -> Iterator[str]:
    """The docstrings of a module, its classes and its functions."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring


def count_in_a_thousand(sources: Iterable[Source]) -> Mapping[str, float]:
    """How often each kind occurs in a thousand words of docstrings; {} without a word."""
    words = [
        word
        for source in sources
        for docstring in list_docstrings(source)
        for word in WORD.findall(docstring.lower())
    ]
    found = Counter(KINDS[word] for word in words if word in KINDS)
    return {kind: 1000 * found[kind] / len(words) for kind in MOST} if words else {}


def test_docstrings_name_the_noun() -> None:
    found = count_in_a_thousand(read_app())
    assert {kind: share for kind, share in found.items() if share > MOST[kind]} == {}


def test_every_docstring_is_counted_and_nothing_else() -> None:
    sample = parse(
        "app.sample",
        '"""What is here."""\n'
        "# What a comment says is not counted.\n"
        "class Sample:\n"
        '    """Who is here."""\n'
        "    async def read(self):\n"
        '        """Whoever reads, reads anew."""\n'
        '        return "whatever"\n'
        "def keep():\n"
        '    """Return whatever is kept."""\n',
    )
    shares = count_in_a_thousand([sample])
    assert shares == {"what": 1000 / 14, "who": 2000 / 14, "anew": 2000 / 14}


def test_a_word_is_counted_whole_and_in_any_case() -> None:
    assert count_in_a_thousand([parse("app.sample", '"""WHAT? Somewhat, whose, newer."""')])["what"] == 250
    assert count_in_a_thousand([parse("app.sample", "number = 1")]) == {}
