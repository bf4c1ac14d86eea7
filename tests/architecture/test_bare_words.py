"""No text that a person reads stands in a template or a script without gettext."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

TRANSLATED = re.compile(r"\{%-?\s*trans\b.*?\{%-?\s*endtrans\b", re.DOTALL)
# Blocks that stand inside a tag.
IN_A_TAG = re.compile(r"\{% block (?:html|body_class) %\}.*?\{% endblock %\}", re.DOTALL)
# Jinja's tags and expressions; an expression becomes a sign that is no letter.
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
WORD = re.compile(r"[^\W\d_]{2,}")
READ_ATTRIBUTES = {
    "alt",
    "aria-label",
    "aria-description",
    "aria-roledescription",
    "label",
    "placeholder",
    "title",
}
NAMES = {"Callbook", "UTC"}
# `"No connection"`, and a text that is assigned: `textContent = "Lost"`.
SPOKEN = re.compile(r"""(["'`])[A-Z][a-z]+(?: [a-z]+)+.*?\1|(?:textContent|innerText|title)\s*=\s*["'`]\w+""")
SCRIPT_COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in READ_ATTRIBUTES:
                self.handle_data(value or "")

    def handle_data(self, data: str) -> None:
        self.found += [word for word in WORD.findall(data) if word not in NAMES]


def find_in_template(text: str) -> list[str]:
    reader = _Reader()
    reader.feed(JINJA.sub("·", IN_A_TAG.sub("", TRANSLATED.sub("", text))))
    reader.close()
    return reader.found


def find_in_script(text: str) -> list[str]:
    return [match.group() for match in SPOKEN.finditer(SCRIPT_COMMENT.sub("", text))]


def list_files(folder: str, suffix: str) -> Iterator[Path]:
    yield from sorted((ROOT / folder).rglob(f"*{suffix}"))


def test_no_template_holds_bare_words() -> None:
    found = {
        path.name: find_in_template(path.read_text("utf-8")) for path in list_files("templates", ".html")
    }
    assert {name: words for name, words in found.items() if words} == {}


def test_no_script_holds_words() -> None:
    found = {path.name: find_in_script(path.read_text("utf-8")) for path in list_files("static", ".js")}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "text",
    [
        "<p>Loading</p>",
        '<input placeholder="Search">',
        '<i aria-label="{{ name }} calls">',
        "{% if a %}<b>{{ n }}</b> calls{% endif %}",
        "{% trans %}Calls{% endtrans %} today",
    ],
)
def test_a_bare_word_is_found(text: str) -> None:
    assert len(find_in_template(text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        '<p class="lead">{{ _("Loading…") }}</p>',
        '<i title="{{ _("Search") }}" hx-get="rows">5 · {{ a }} – Callbook</i>',
        "{% trans n=n %}{{ n }} call{% pluralize n %}{{ n }} calls{% endtrans %}{# A comment #}",
    ],
)
def test_what_is_translated_passes(text: str) -> None:
    assert find_in_template(text) == []


def test_a_sentence_in_a_script_is_found() -> None:
    assert find_in_script('say("No connection yet")') != []
    assert find_in_script("title.textContent = 'Lost';") != []
    assert find_in_script('/* "No connection yet" */ open("GET", "/log/rows"); // "Try it again"') == []
