"""Bitrix24's names for languages, as they come in LANG and LANGUAGE_ID.

Documentation: api-reference/widgets/placement-bind.md (LANG_ALL).
"""

from app.kit.messages.languages import find_locale

# For these Bitrix24 names the country or the region instead of the language.
_OWN_NAMES = {"la": "es", "br": "pt_BR", "ua": "uk", "sc": "zh_Hans"}
# Languages that Bitrix24 has and Callbook lacks, and the language that their readers are most likely to know.
_NEAREST = {"kz": "ru"}


def find_portal_locale(lang: str) -> str | None:
    """Our locale for a portal's LANG (`de`, `la`, `sc`), or for a language tag; None when we have none."""
    name = lang.strip().lower()
    return _OWN_NAMES.get(name) or _NEAREST.get(name) or find_locale(name)


def portal_language(locale: str) -> str:
    """Bitrix24's name for one of our locales, as a key of LANG_ALL."""
    return {ours: theirs for theirs, ours in _OWN_NAMES.items()}.get(locale, locale)
