"""Catalogues as files: read, brought up to date and written, the same way each time."""

import io
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po, write_po

from app.kit.messages.languages import LANGUAGES, SOURCE
from app.kit.messages.words import CATALOGUES

TRANSLATED = tuple(locale for locale in LANGUAGES if locale != SOURCE)
# Babel's last two forms for Arabic are swapped against gettext's manual and CLDR (many, then other).
_ARABIC = (
    "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"
)
HEAD = """msgid ""
msgstr ""
"Language: {locale}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""


def plural_forms(locale: str) -> str:
    """The plural rule of a language, as the head of its catalogue holds it."""
    return _ARABIC if locale == "ar" else str(get_plural(locale))


def catalogue_path(locale: str) -> Path:
    """The path of a language's catalogue."""
    return CATALOGUES / f"{locale}.po"


def read_catalogue(locale: str) -> Catalog:
    """The stored catalogue; an empty one for a language without a file."""
    path = catalogue_path(locale)
    text = (
        path.read_bytes()
        if path.exists()
        else HEAD.format(locale=locale, plurals=plural_forms(locale)).encode()
    )
    return read_po(io.BytesIO(text), locale)


def list_messages(catalogue: Catalog) -> list[Message]:
    """All messages but the head."""
    return [message for message in catalogue if message.id]


def carry_over(template: Catalog, old: Catalog, locale: str) -> Catalog:
    """A catalogue of the template's texts with their old translations. No translation is guessed, and one
    whose text is no longer used is dropped.
    """
    fresh = read_po(io.BytesIO(HEAD.format(locale=locale, plurals=plural_forms(locale)).encode()), locale)
    for message in list_messages(template):
        known = old.get(message.id, message.context)
        string = known.string if known is not None and known.pluralizable == message.pluralizable else None
        fresh.add(message.id, string, auto_comments=message.auto_comments, context=message.context)
    return fresh


def write_catalogue(catalogue: Catalog, locale: str) -> str:
    """The text of the file: sorted, without places, dates and line breaks, so that a diff shows
    words only.
    """
    body = io.BytesIO()
    write_po(body, catalogue, width=0, no_location=True, omit_header=True, sort_output=True)
    return HEAD.format(locale=locale, plurals=plural_forms(locale)) + body.getvalue().decode().strip() + "\n"
