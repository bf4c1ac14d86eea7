"""Decoding of a portal's posts: events and pages. Pure: bytes in, values out; other users' tokens are
dropped.

Anybody can post, and nothing is proven yet. So time and memory are linear in the bytes that came. Of an event
only its name and its sender are decoded at first; its data are decoded once its token is proven.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from app.bitrix24.text import scalar_text, unquote_form, without_surrogates

INSTALL_EVENTS = frozenset({"ONAPPINSTALL", "ONAPPUPDATE"})
_MEMBER_ID = re.compile(r"[0-9a-f]{32}")
_AUTH_ID = re.compile(r"[0-9A-Za-z._-]{8,512}")
_PLAUSIBLE_MEMBER_ID = re.compile(r"[0-9a-z]{1,64}")
_DEFAULT_LIFETIME_S = 3600
_MAX_NAME = 64  # No event has a longer name, and names are logged.
_MAX_DIGITS = 18  # A number of so many digits fits 64 bits.
_MAX_DECODED = 2_048  # Longer keys and values are cut to so many characters; no valid one is longer.
_MAX_FIELDS = 250  # In a form; an event has about thirty, a page fifteen.
# A bound on the commas and brackets of a JSON body, those within texts included: a value of three bytes takes
# sixty bytes of memory when it is decoded.
_MAX_JSON_PARTS = 500


class NotAnEvent(ValueError):
    """The body is no event; the text of the exception is the reason and quotes nothing from the body."""


class MalformedPage(ValueError):
    """The request is not a portal's request for a page; the text of the exception is the reason."""


class InstallTokens(msgspec.Struct, frozen=True):
    """The tokens of ONAPPINSTALL or ONAPPUPDATE; `expires_in` in seconds. The repr shows no token."""

    access_token: str
    refresh_token: str
    expires_in: int

    def __repr__(self) -> str:
        """The type only: a repr may reach a log."""
        return "InstallTokens(…)"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. An absent `member_id` or `application_token` is empty; any other absent value is None.

    `name` is upper-cased and cut to 64 characters; `sent_at` is Unix seconds by the portal's queue. `raw`
    holds the undecoded data: values of JSON, or of a form when `is_escaped`. The form's key `data[A][B]` is
    `A][B` in `raw`.
    """

    name: str
    member_id: str
    application_token: str
    raw: Mapping[str, object]
    is_escaped: bool
    sent_at: int | None
    server_endpoint: str | None
    install: InstallTokens | None

    @property
    def data(self) -> dict[str, object] | None:
        """The data, decoded on each access; None when there are none."""
        if not self.is_escaped:
            return dict(self.raw) or None
        return {
            name: unquote_form(value) if "%" in value or "+" in value else value
            for name, value in cast("Mapping[str, str]", self.raw).items()
        } or None

    def read_text(self, name: str) -> str:
        """One text of the data; empty when it is absent."""
        text = _text_of(self.raw.get(name))
        return unquote_form(text) if self.is_escaped else text

    def __repr__(self) -> str:
        """Name and portal only: a repr may reach a log, and the data hold phone numbers."""
        return f"Event(name={self.name!r}, member_id={self.member_id!r})"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a portal to open a page in its frame. Nothing in it is proven. The repr shows no token."""

    member_id: str
    auth_id: str
    auth_expires_in: int
    refresh_id: str
    domain: str
    protocol: str
    lang: str
    app_sid: str
    placement: str
    placement_options: str
    status: str
    server_endpoint: str | None
    application_token: str | None

    def __repr__(self) -> str:
        """Portal and placement only: a repr may reach a log."""
        return f"Page(member_id={self.member_id!r}, placement={self.placement!r})"


_TOP, _DATA, _AUTH, _NOWHERE = range(4)
_TOP_KEYS = ("event", "ts")
_TOKEN_KEYS = ("access_token", "refresh_token", "expires_in")
_AUTH_KEYS = ("member_id", "application_token", "server_endpoint", *_TOKEN_KEYS)
_DROPPED_AUTH_KEYS = ("domain", "client_endpoint", "scope", "status", "expires", "user_id")
_CALL_KEYS = (
    *("CALL_ID", "CALL_TYPE", "PHONE_NUMBER", "PORTAL_NUMBER", "PORTAL_USER_ID", "CALL_DURATION"),
    *(
        "CALL_START_DATE",
        "COST",
        "COST_CURRENCY",
        "CALL_FAILED_CODE",
        "CALL_FAILED_REASON",
        "CRM_ACTIVITY_ID",
    ),
)


def _place(key: str) -> tuple[int, str]:
    """The part of the event, and the name in it, under which a decoded key's value is kept."""
    if key in _TOP_KEYS:
        return _TOP, key
    if key.startswith("data[") and key.endswith("]"):
        return _DATA, key[5:-1]
    if key.startswith("auth[") and key[5:-1] in _AUTH_KEYS and key.endswith("]"):
        return _AUTH, key[5:-1]
    return _NOWHERE, ""


# All keys of a usual event, as PHP escapes them. Only a key that is not found here has to be unescaped.
_PLACES = {key: _place(key) for key in (*_TOP_KEYS, "event_handler_id")}
_PLACES |= {f"data%5B{key}%5D": (_DATA, key) for key in _CALL_KEYS}
_PLACES |= {f"auth%5B{key}%5D": _place(f"auth[{key}]") for key in (*_AUTH_KEYS, *_DROPPED_AUTH_KEYS)}


def decode_event(content_type: str, body: bytes) -> Event:
    """Decode an event from a form with PHP's bracket keys or from JSON; raises NotAnEvent for anything else.

    Tokens are kept for ONAPPINSTALL and ONAPPUPDATE only: those of other events belong to the user who caused
    them. Documentation: api-reference/events/index.md; the bodies of real events: docs/bitrix24.md, "Events".
    """
    text = body.decode("utf-8", "replace")
    if "json" in content_type or text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _event_of_json(text)
    return _event_of_form(text)


def _event_of_form(text: str) -> Event:
    if text.count("&") >= _MAX_FIELDS:
        raise NotAnEvent(f"the body has more than {_MAX_FIELDS} fields")
    parts: tuple[dict[str, str], dict[str, str], dict[str, str]] = ({}, {}, {})
    places = _PLACES
    for pair in text.split("&"):
        key, _, value = pair.partition("=")
        where, name = places.get(key) or _place(unquote_form(key[:_MAX_DECODED]))
        if where == _DATA:
            parts[_DATA][name] = value
        elif where != _NOWHERE:
            parts[where][name] = unquote_form(value[:_MAX_DECODED])
    return _event(parts[_TOP], parts[_AUTH], parts[_DATA], is_escaped=True)


def _event_of_json(text: str) -> Event:
    """Decode an event from JSON. Numbers stay text, and a key that comes twice is refused, because two
    parsers may read it differently. The standard library's parser has options for both; msgspec has none.
    """
    if text.count(",") + text.count("[") + text.count("{") > _MAX_JSON_PARTS:
        raise NotAnEvent(f"the JSON body has more than {_MAX_JSON_PARTS} commas and brackets")
    try:
        document = _DECODER.decode(text.lstrip("\ufeff"))
    except RecursionError:
        raise NotAnEvent("the JSON body is nested too deeply") from None
    except json.JSONDecodeError:
        raise NotAnEvent("the body is not valid JSON") from None
    if not isinstance(document, dict):
        raise NotAnEvent("the JSON body is not an object")
    data = document.get("data")
    return _event(
        _texts_of(document, _TOP_KEYS),
        _texts_of(document.get("auth"), _AUTH_KEYS),
        data if isinstance(data, dict) else {},
        is_escaped=False,
    )


def _texts_of(document: object, keys: Sequence[str]) -> dict[str, str]:
    if not isinstance(document, dict):
        return {}
    return {key: _text_of(document[key])[:_MAX_DECODED] for key in keys if key in document}


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAnEvent("the JSON body has a key twice")
    return found


_DECODER = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_unique, strict=False
)


def _text_of(value: object) -> str:
    """A scalar of JSON as text; empty for null, an object or a list."""
    if isinstance(value, dict | list):
        return ""
    return without_surrogates(scalar_text(value) or "")


def _event(
    top: Mapping[str, str], auth: Mapping[str, str], data: Mapping[str, object], *, is_escaped: bool
) -> Event:
    name = top.get("event", "").upper()[:_MAX_NAME]
    if not name:
        raise NotAnEvent("the body names no event")
    member_id = auth.get("member_id", "").lower()
    if not _PLAUSIBLE_MEMBER_ID.fullmatch(member_id):
        member_id = ""  # No portal has such an id, so the database need not be asked.
    install = None
    if name in INSTALL_EVENTS and "access_token" in auth:
        lifetime_s = _whole_number(auth.get("expires_in"))
        install = InstallTokens(
            auth["access_token"], auth.get("refresh_token", ""), lifetime_s or _DEFAULT_LIFETIME_S
        )
    return Event(
        name=name,
        member_id=member_id,
        application_token=auth.get("application_token", ""),
        raw=data,
        is_escaped=is_escaped,
        sent_at=_whole_number(top.get("ts")),
        server_endpoint=auth.get("server_endpoint") or None,
        install=install,
    )


def _whole_number(text: str | None) -> int | None:
    """A non-negative number that fits 64 bits, or None; nothing depends on these numbers."""
    if text and len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit():
        return int(text)
    return None


def decode_form(body: bytes) -> dict[str, str]:
    """Decode a flat form in UTF-8; invalid bytes become U+FFFD and the last of equal keys wins, as in PHP.

    Fields after the first 250 are left out, as PHP leaves out those after its first thousand.
    """
    fields = body.decode("utf-8", "replace").split("&", _MAX_FIELDS)[:_MAX_FIELDS]
    pairs = (field.partition("=") for field in fields if field)
    return {unquote_form(key): unquote_form(value) for key, _, value in pairs}


def is_token(text: str) -> bool:
    """Whether a text has the form of an access token."""
    return _AUTH_ID.fullmatch(text) is not None


def decode_page(query: Mapping[str, str], body: bytes) -> Page:
    """Decode the POST that opens installer, app or placement; raises MalformedPage for anything else.

    Documentation: settings/oauth/simple-way.md, api-reference/widgets/_includes/widget_data.md.
    """
    form = decode_form(body)
    member_id = form.get("member_id", "").lower()
    if not _MEMBER_ID.fullmatch(member_id):
        raise MalformedPage("member_id is not 32 hexadecimal characters")
    auth_id = form.get("AUTH_ID", "")
    if not is_token(auth_id):
        raise MalformedPage("AUTH_ID is missing or malformed")

    def asked(key: str) -> str:
        return without_surrogates(query.get(key, ""))

    return Page(
        member_id=member_id,
        auth_id=auth_id,
        auth_expires_in=_whole_number(form.get("AUTH_EXPIRES")) or _DEFAULT_LIFETIME_S,
        refresh_id=form.get("REFRESH_ID", ""),
        domain=asked("DOMAIN"),
        protocol=asked("PROTOCOL"),
        lang=asked("LANG"),
        app_sid=asked("APP_SID"),
        placement=form.get("PLACEMENT") or "DEFAULT",
        placement_options=form.get("PLACEMENT_OPTIONS", ""),
        status=form.get("status", ""),
        server_endpoint=form.get("SERVER_ENDPOINT") or None,
        application_token=form.get("APPLICATION_TOKEN") or None,
    )
