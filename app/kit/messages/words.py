"""Texts in the reader's language, by gettext. The catalogues in app/locales are read as they are, once.

`N_` marks a text that is translated later, when it is known who reads it. `make words` finds what is marked.
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
    """Mark a text for the catalogues and give it back as it is."""
    return message


class Words:
    """One language. Texts with `%(name)s` take their values by name; those without are left alone."""

    def __init__(self, locale: str, catalogue: NullTranslations) -> None:
        self.locale = locale
        self.catalogue = catalogue

    def gettext(self, message: str, /, **values: object) -> str:
        """The text in this language; in English where the catalogue lacks it."""
        # The empty message is the catalogue's own head.
        return _fill(self.catalogue.gettext(message) if message else "", values)

    def ngettext(self, singular: str, plural: str, n: int, /, **values: object) -> str:
        """The form for `n`, which the text may hold as `%(n)s` unless `n` is given formatted."""
        return _fill(self.catalogue.ngettext(singular, plural, n), {"n": n, **values})

    def pgettext(self, context: str, message: str, /, **values: object) -> str:
        """As `gettext`, for a text that means different things in different places."""
        return _fill(self.catalogue.pgettext(context, message), values)


@cache
def load_words(locale: str) -> Words:
    """The words of one of LANGUAGES; English for any other locale."""
    return Words(locale, read_catalogue(locale) if locale in LANGUAGES else NullTranslations())


def load_all_words() -> None:
    """Read every catalogue now: one that is broken is told when the process begins."""
    for locale in LANGUAGES:
        load_words(locale)


def read_catalogue(locale: str) -> NullTranslations:
    """Read a `.po` file with Babel and hand it to Python's gettext, which knows the rules for plurals."""
    if locale == SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    with (CATALOGUES / f"{locale}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _fill(text: str, values: dict[str, object]) -> str:
    return text % values if values else text
