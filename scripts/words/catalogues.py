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
    """The rule as a catalogue's head holds it."""
    return _ARABIC if locale == "ar" else str(get_plural(locale))


def catalogue_path(locale: str) -> Path:
    """Where a language's texts stand."""
    return CATALOGUES / f"{locale}.po"


def read_catalogue(locale: str) -> Catalog:
    """The catalogue as it is; an empty one for a language that has no file yet."""
    path = catalogue_path(locale)
    text = (
        path.read_bytes()
        if path.exists()
        else HEAD.format(locale=locale, plurals=plural_forms(locale)).encode()
    )
    return read_po(io.BytesIO(text), locale)


def list_messages(catalogue: Catalog) -> list[Message]:
    """All but the head."""
    return [message for message in catalogue if message.id]


def carry_over(template: Catalog, old: Catalog, locale: str) -> Catalog:
    """The texts of the template with the translations of the same texts: nothing is guessed, nothing kept
    that is no longer used.
    """
    fresh = read_po(io.BytesIO(HEAD.format(locale=locale, plurals=plural_forms(locale)).encode()), locale)
    for message in list_messages(template):
        known = old.get(message.id, message.context)
        string = known.string if known is not None and known.pluralizable == message.pluralizable else None
        fresh.add(message.id, string, auto_comments=message.auto_comments, context=message.context)
    return fresh


def write_catalogue(catalogue: Catalog, locale: str) -> str:
    """The file's text: sorted, without places, dates and line breaks, so that only changes of words show."""
    body = io.BytesIO()
    write_po(body, catalogue, width=0, no_location=True, omit_header=True, sort_output=True)
    return HEAD.format(locale=locale, plurals=plural_forms(locale)) + body.getvalue().decode().strip() + "\n"
