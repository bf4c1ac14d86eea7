"""The language in which a request is answered."""

from typing import Any

from litestar.connection import ASGIConnection

from app.bitrix24.languages import find_portal_locale
from app.kit.messages.languages import SOURCE, accept_locale
from app.kit.messages.words import Words, load_words

AnyConnection = ASGIConnection[Any, Any, Any, Any]
_KEY = "locale"


def choose_locale(lang: str) -> str:
    """Our locale for the LANG of a portal's page, else English. If the portal has a setting for the language,
    a session uses that setting and not this locale.
    """
    return find_portal_locale(lang) or SOURCE


def remember_locale(connection: AnyConnection, locale: str) -> None:
    """Answer the request in the language of its session from here on."""
    connection.state[_KEY] = locale


def read_locale(connection: AnyConnection) -> str:
    """The session's language; without a session the page's LANG, else the browser's choice, else English."""
    known: str | None = connection.state.get(_KEY)
    return (
        known
        or find_portal_locale(connection.query_params.get("LANG", ""))
        or accept_locale(connection.headers.get("accept-language", ""))
        or SOURCE
    )


def read_words(connection: AnyConnection) -> Words:
    """The words of that language."""
    return load_words(read_locale(connection))
