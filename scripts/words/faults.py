"""The faults that a catalogue can have, each told in a sentence. Pure."""

import re
from collections import Counter
from collections.abc import Iterator
from gettext import c2py

from babel.messages.catalog import Catalog, Message

from app.kit.messages.languages import SOURCE
from scripts.words.catalogues import list_messages, plural_forms

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]")
PERCENT = re.compile(r"%\(\w+\)s|%%")
TAG = re.compile(r"<[^>]*>")
MOST_IN_ENGLISH = 0.1
# Names, and words that several languages share with English.
SAME_EVERYWHERE = frozenset({"Callbook", "CSV", "XLSX", "CRM"})
NUMBERS = range(202)  # Enough to see whether a form serves one number only.


def find_faults(catalogue: Catalog, template: Catalog, locale: str) -> Iterator[str]:
    """All faults of one language's catalogue."""
    known = {_key(message) for message in list_messages(catalogue)}
    wanted = {_key(message) for message in list_messages(template)}
    yield from (f"{locale}: missing: {key}" for key in sorted(wanted - known, key=str))
    yield from (f"{locale}: unused: {key}" for key in sorted(known - wanted, key=str))
    for message in list_messages(catalogue):
        yield from (f"{locale}: {fault}: {message.id}" for fault in _find_in_message(message, locale))
    yield from _find_english(catalogue, locale)


def _key(message: Message) -> tuple[str | None, object]:
    return message.context, message.id


def _find_in_message(message: Message, locale: str) -> Iterator[str]:
    strings = forms_of(message.string)
    originals = forms_of(message.id)
    if message.fuzzy:
        yield "fuzzy"
    if not strings or not all(strings):
        yield "not translated"
        return
    if message.pluralizable and len(strings) != _count_forms(locale):
        yield "wrong number of plural forms"
        return
    for form, string in enumerate(strings):
        yield from _compare(
            originals[-1], string, may_omit=message.pluralizable and _serves_one(locale, form)
        )


def _compare(original: str, string: str, *, may_omit: bool) -> Iterator[str]:
    wanted, found = (Counter(PLACEHOLDER.findall(text)) for text in (original, string))
    if found != wanted and not (may_omit and found <= wanted):
        yield "unequal placeholders"
    if "%" in PERCENT.sub("", string) and "%" not in PERCENT.sub("", original):
        yield "a percent sign that is no placeholder"
    if Counter(TAG.findall(original)) != Counter(TAG.findall(string)):
        yield "unequal markup"
    # A page writes translations unescaped, in attributes too.
    if '"' in TAG.sub("", string) or "<" in TAG.sub("", string):
        yield "a sign that HTML understands"
    if string != string.strip() or (original.endswith("…") and not string.endswith("…")):
        yield "another end than the original's"


def _find_english(catalogue: Catalog, locale: str) -> Iterator[str]:
    messages = [m for m in list_messages(catalogue) if forms_of(m.id)[0] not in SAME_EVERYWHERE]
    same = [m.id for m in messages if forms_of(m.string)[:1] == forms_of(m.id)[:1]]
    if len(same) > MOST_IN_ENGLISH * len(messages):
        yield f"{locale}: {len(same)} of {len(messages)} texts are left in {SOURCE}: {same}"


def forms_of(text: object) -> list[str]:
    """The forms of a text or of a translation; a single one when it has no plural."""
    return [str(form) for form in text] if isinstance(text, list | tuple) else [str(text or "")]


def _rule(locale: str) -> str:
    return plural_forms(locale).partition("plural=")[2].rstrip(";")


def _count_forms(locale: str) -> int:
    return int(re.findall(r"nplurals=(\d+)", plural_forms(locale))[0])


def _serves_one(locale: str, form: int) -> bool:
    """Whether the form is for one number only, as Arabic's dual is, so that it need not show the number."""
    choose = c2py(_rule(locale))
    return sum(choose(number) == form for number in NUMBERS) == 1
