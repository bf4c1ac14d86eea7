"""POST /events: verify an event, store it durably, answer. After a 200 `ok` the event is in the database.

A plain ASGI handler, because this is the hot path: a request object, its parsed form and its body cache
cost more than the event. Documentation: api-reference/events, docs/interface.md ("HTTP").
"""

from functools import cache, partial

from litestar import asgi
from litestar.connection import ASGIConnection
from litestar.types import Receive, Scope, Send
from prometheus_client import Counter

from app.bitrix24.incoming.payloads import Event, NotAnEvent, decode_event
from app.calls.intake.event_recorder import Answer
from app.kit.fairness.subscribers import find_network
from app.kit.messages.errors import Refusal, TooManyRequests, Unavailable
from app.kit.metrics import EVENTS
from app.kit.storage.database import DATABASE_ERRORS
from app.portals.departure.silence import note_seen
from app.portals.departure.uninstall import Outcome
from app.portals.directory import Sender
from app.portals.entrance.setup import SETUP
from app.web.http.client_address import read_client_address
from app.web.http.parts import WebParts
from app.web.http.requests import MAX_BODY_BYTES

KNOWN = frozenset({"ONVOXIMPLANTCALLEND", "ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUNINSTALL", "ONAPPPAYMENT"})
OK = (200, b'{"status":"ok"}')
IGNORED = (200, b'{"status":"ignored"}')
PENDING = (202, b'{"status":"pending"}')
INVALID_TOKEN = (403, b'{"status":"error","error":"invalid_application_token"}')
STILL_INSTALLED = (403, b'{"status":"error","error":"still_installed"}')
TOO_LARGE = (413, b'{"status":"error","error":"too_large"}')
Reply = tuple[int, bytes]
CALL_ANSWERS = {Answer.STORED: OK, Answer.PENDING: PENDING, Answer.REFUSED: INVALID_TOKEN}
UNINSTALL_ANSWERS = {Outcome.ERASED: OK, Outcome.STILL_INSTALLED: STILL_INSTALLED, Outcome.PENDING: PENDING}


@asgi("/events", copy_scope=True)
async def events(scope: Scope, receive: Receive, send: Send) -> None:
    """Take an event of any kind."""
    method = scope.get("method")
    if method not in {"POST", "HEAD"}:
        await _answer(
            send, (405, b'{"status":"error","error":"method_not_allowed"}'), {b"allow": b"POST, HEAD"}
        )
        return
    if method == "HEAD":
        await _answer(send, (200, b""), {})
        return
    parts: WebParts = scope["litestar_app"].state.parts
    name, reply, headers = await _handle(parts, scope, receive)
    _find_counter(name if name in KNOWN else "other", reply[0]).inc()
    await _answer(send, reply, headers)


@cache  # To find the counter each time would take a tenth of an event's time.
def _find_counter(name: str, status: int) -> Counter:
    return EVENTS.labels(name, status)


async def _handle(parts: WebParts, scope: Scope, receive: Receive) -> tuple[str, Reply, dict[bytes, bytes]]:
    """The event's name (empty if there is none), the answer, and the answer's further headers."""
    body = await _read_body(receive)
    if body is None:
        return "", TOO_LARGE, {}
    try:
        content_type = dict(scope["headers"]).get(b"content-type", b"")
        event = decode_event(content_type.decode("latin-1"), body)
    except NotAnEvent as error:
        return "", (400, f'{{"status":"error","error":"not_an_event","reason":"{error}"}}'.encode()), {}
    headers = {}
    try:
        reply = await _dispatch(parts, event, scope)
    except Refusal as refusal:
        reply, headers = _refuse(refusal), _retry_header(refusal)
    except DATABASE_ERRORS as error:
        name = type(error).__name__  # Without a trace, which could quote the event.
        parts.unstored_events.note(lambda: (name,))
        reply, headers = _refuse(Unavailable()), _retry_header(Unavailable())
    if reply is INVALID_TOKEN:
        parts.refused_events.note(lambda: (event.member_id, find_network(_source_of(parts, scope))))
    return event.name, reply, headers


async def _dispatch(parts: WebParts, event: Event, scope: Scope) -> Reply:
    if event.name == "ONVOXIMPLANTCALLEND":
        return CALL_ANSWERS[await parts.recorder.record(event)]
    if event.name in {"ONAPPINSTALL", "ONAPPUPDATE"}:
        is_installed = await parts.installer.install_from_event(event, _source_of(parts, scope))
        if is_installed:
            parts.directory.forget(event.member_id)
        return OK if is_installed else PENDING
    sender = await parts.directory.recognise_now(event.member_id, event.application_token)
    if not isinstance(sender, Sender):
        return INVALID_TOKEN
    await note_seen(sender.portal, parts.clock.now())
    if event.name == "ONAPPPAYMENT":  # This event proves nothing, but it may be a reason to ask the portal.
        take_hint = partial(parts.setup.take_hint, sender.portal)
        parts.turns.begin(SETUP, sender.portal.id, take_hint, is_news=True)
    if event.name != "ONAPPUNINSTALL":
        return IGNORED
    is_clean = event.read_text("CLEAN") == "1"
    outcome = await parts.uninstaller.announce(sender.portal, is_clean=is_clean)
    parts.directory.forget(event.member_id)
    return UNINSTALL_ANSWERS[outcome]


def _source_of(parts: WebParts, scope: Scope) -> str:
    return read_client_address(ASGIConnection(scope), parts.settings.trusted_proxies)


def _refuse(refusal: Refusal) -> Reply:
    code = "invalid_application_token" if refusal.status == 403 else refusal.code  # noqa: PLR2004
    return refusal.status, f'{{"status":"error","error":"{code}"}}'.encode()


def _retry_header(refusal: Refusal) -> dict[bytes, bytes]:
    if isinstance(refusal, TooManyRequests | Unavailable):
        return {b"retry-after": str(refusal.retry_after_s).encode()}
    return {}


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large, and then the rest stays unread."""
    body = bytearray()  # Not a list of chunks: a sender of single bytes would make each an object.
    is_more = True
    while is_more and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return b""  # Disconnected: half an event is no event, though it might decode as one.
        body += message["body"]
        is_more = message["more_body"]
    return bytes(body) if len(body) <= MAX_BODY_BYTES else None


async def _answer(send: Send, reply: Reply, headers: dict[bytes, bytes]) -> None:
    status, body = reply
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*fields, *headers.items()]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
