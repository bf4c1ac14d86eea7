"""Every text has its translation in every language, and no other one."""

import re
from collections import defaultdict
from gettext import c2py

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message

from app.kit.messages.languages import LANGUAGES
from scripts.words.catalogues import (
    TRANSLATED,
    carry_over,
    catalogue_path,
    list_messages,
    plural_forms,
    read_catalogue,
    write_catalogue,
)
from scripts.words.extraction import extract_messages, extract_texts
from scripts.words.faults import find_faults


@pytest.fixture(scope="module")
def template() -> Catalog:
    return extract_messages()


STUMBLES = re.compile(r"\b(anew|mends?|whatever|whoever|whom|just now|goes on by itself)\b", re.IGNORECASE)


def test_every_text_is_plain_english(template: Catalog) -> None:
    """A reader of Bitrix24's own English does not meet these words there."""
    texts = [text for message in list_messages(template) for text in texts_of(message)]
    assert [text for text in texts if STUMBLES.search(text)] == []


def test_a_name_is_marked_in_one_file() -> None:
    """Outcomes, directions, columns have a context; pages and exports take them from one place."""
    files = defaultdict(set)
    for path, text, _, context in extract_texts():
        if context is not None:
            files[context, text].add(path.name)
    assert {name: marked for name, marked in files.items() if len(marked) > 1} == {}


def texts_of(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def test_every_language_has_its_catalogue() -> None:
    assert sorted(path.stem for path in catalogue_path("de").parent.iterdir()) == sorted(TRANSLATED)
    assert len(LANGUAGES) == len(TRANSLATED) + 1 == 13


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_catalogue_is_complete_and_sound(locale: str, template: Catalog) -> None:
    assert list(find_faults(read_catalogue(locale), template, locale)) == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_catalogue_is_written_as_make_words_writes_it(locale: str, template: Catalog) -> None:
    catalogue = carry_over(template, read_catalogue(locale), locale)
    assert catalogue_path(locale).read_text("utf-8") == write_catalogue(catalogue, locale)


@pytest.mark.parametrize("locale", TRANSLATED)
def test_the_forms_of_a_plural_are_those_of_the_language(locale: str) -> None:
    """Numbers that CLDR tells apart have forms of their own. It keeps one for millions in French, Italian,
    Spanish and Portuguese, and one for fractions in Polish, Russian and Ukrainian, that no count here has.
    """
    choose = c2py(plural_forms(locale).partition("plural=")[2].rstrip(";"))
    category = Locale.parse(locale).plural_form
    pairs = {(choose(number), category(number)) for number in range(1000)}
    if locale == "tr":  # A noun keeps its form after any number.
        assert {form for form, _ in pairs} == {0}
        return
    assert len(pairs) == len({form for form, _ in pairs}) == len({name for _, name in pairs})


Text = str | tuple[str, ...]


def make(string: Text, *, text: Text, context: str | None = None) -> Catalog:
    catalogue = Catalog("ru")
    catalogue.add(text, string, context=context)
    return catalogue


CALLS = ("%(n)s call", "%(n)s calls")


@pytest.mark.parametrize(
    ("text", "string", "fault"),
    [
        ("Calls", "", "not translated"),
        ("%(n)s calls", "%(m)s звонков", "unequal placeholders"),
        ("%(n)s calls", "звонки", "unequal placeholders"),
        ("Calls", "Звонки 5 %", "a percent sign"),
        ("Calls", 'Звонки "все"', "HTML"),
        ("Calls", "<b>Звонки</b>", "markup"),
        ("Loading…", "Загрузка", "another end"),
        (CALLS, ("%(n)s звонок", "%(n)s звонка"), "wrong number"),
        (CALLS, ("%(n)s звонок", "%(n)s звонка", ""), "not translated"),
        (CALLS, ("звонок", "%(n)s звонка", "%(n)s звонков"), "unequal placeholders"),
        ("Calls", "Calls", "left in en"),
    ],
)
def test_a_fault_is_found(text: Text, string: Text, fault: str) -> None:
    faults = list(find_faults(make(string, text=text), make("", text=text), "ru"))
    assert len(faults) == 1
    assert fault in faults[0]


def test_missing_unused_and_guessed_texts_are_found() -> None:
    guessed = make("Звонки", text="Calls", context="menu")
    list_messages(guessed)[0].flags.add("fuzzy")
    assert [fault.split(": ")[1] for fault in find_faults(guessed, make("", text="Calls"), "ru")] == [
        *("missing", "unused", "fuzzy"),
    ]


def test_the_dual_needs_no_number() -> None:
    forms = ("لا مكالمات", "مكالمة واحدة", "مكالمتان", "%(n)s مكالمات", "%(n)s مكالمة", "%(n)s مكالمة")
    catalogue = make(forms, text=CALLS)
    assert list(find_faults(catalogue, make("", text=CALLS), "ar")) == []
