"""Texts in the reader's language, by gettext. The `.po` catalogues in app/locales are read once, uncompiled.

`N_` marks a text that is translated later, when its reader is known. `make words` collects the marked texts.
"""

import io
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from app.kit.messages.languages import LANGUAGES, SOURCE

CATALOGUES = Path(__file__).parents[2] / "locales"


def N_(message: str) -> str:  # noqa: N802  The name that gettext's own tools look for.
    """The same text; the call marks it for the catalogues."""
    return message


class Words:
    """The texts of one language. A text with `%(name)s` takes its values by name."""

    def __init__(self, locale: str, catalogue: NullTranslations) -> None:
        self.locale = locale
        self.catalogue = catalogue

    def gettext(self, message: str, /, **values: object) -> str:
        """The text in this language; in English where the catalogue lacks it."""
        # gettext keeps the head of a catalogue under the empty message.
        return _fill(self.catalogue.gettext(message) if message else "", values)

    def ngettext(self, singular: str, plural: str, n: int, /, **values: object) -> str:
        """The plural form for `n`, with `n` in place of `%(n)s`, or the formatted `n` of `values`."""
        return _fill(self.catalogue.ngettext(singular, plural, n), {"n": n, **values})

    def pgettext(self, context: str, message: str, /, **values: object) -> str:
        """As `gettext`, for a text that means different things in different places."""
        return _fill(self.catalogue.pgettext(context, message), values)


@cache
def load_words(locale: str) -> Words:
    """The words of one of LANGUAGES; English for any other locale."""
    return Words(locale, read_catalogue(locale) if locale in LANGUAGES else NullTranslations())


def load_all_words() -> None:
    """Read every catalogue now, so that a broken one stops the process when it begins."""
    for locale in LANGUAGES:
        load_words(locale)


def read_catalogue(locale: str) -> NullTranslations:
    """The catalogue of a locale. Babel reads the `.po` file; Python's gettext knows the rules for plurals."""
    if locale == SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    with (CATALOGUES / f"{locale}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _fill(text: str, values: dict[str, object]) -> str:
    return text % values if values else text
