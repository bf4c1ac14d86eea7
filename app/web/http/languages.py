"""Which language a request is answered in."""

from typing import Any

from litestar.connection import ASGIConnection

from app.bitrix24.languages import find_portal_locale
from app.kit.messages.languages import SOURCE, accept_locale
from app.kit.messages.words import Words, load_words

AnyConnection = ASGIConnection[Any, Any, Any, Any]
_KEY = "locale"


def choose_locale(lang: str) -> str:
    """Our locale for what a portal's page says (LANG), else English. A session puts the portal's setting
    before it.
    """
    return find_portal_locale(lang) or SOURCE


def remember_locale(connection: AnyConnection, locale: str) -> None:
    """From here on the request is answered in the language of its session."""
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
