"""`event.bind`, `event.unbind`, `event.get`."""

from app.demo.core.faults import Refusal
from app.demo.core.state import EventBinding
from app.demo.rest.rest_call import Method, RestAnswer, RestCall

KNOWN_EVENTS = {
    "ONAPPINSTALL": None,
    "ONAPPUPDATE": None,
    "ONAPPUNINSTALL": None,
    "ONAPPPAYMENT": None,
    "ONUSERADD": "user",
    "ONVOXIMPLANTCALLINIT": "telephony",
    "ONVOXIMPLANTCALLSTART": "telephony",
    "ONVOXIMPLANTCALLEND": "telephony",
    "ONEXTERNALCALLSTART": "telephony",
    "ONEXTERNALCALLBACKSTART": "telephony",
}


def bind_event(call: RestCall) -> RestAnswer:
    """api-reference/events/event-bind.md; a user who is no administrator binds only for their own events.

    Binding the same handler twice is refused with ERROR_CORE ("Handler already binded"), as on real portals.
    """
    event, handler = call.text("event").upper(), call.text("handler")
    scope = KNOWN_EVENTS.get(event, "")
    if event not in KNOWN_EVENTS or (scope and scope not in call.installation.scope):
        raise Refusal("ERROR_EVENT_NOT_FOUND", 400, "Event not found")
    if not handler.startswith(("http://", "https://")):
        raise Refusal("ERROR_ARGUMENT", 400, "Wrong handler URL")
    auth_type = _auth_type(call)
    if _find(call, event, handler, auth_type):
        raise Refusal("ERROR_CORE", 400, "Unable to set event handler: Handler already binded")
    binding = EventBinding(id=call.state.next_binding_id, event=event, handler=handler, auth_type=auth_type)
    call.state.next_binding_id += 1
    call.installation.events.append(binding)
    return RestAnswer(True)


def unbind_event(call: RestCall) -> RestAnswer:
    """api-reference/events/event-unbind.md; the answer is the number of removed handlers."""
    event, handler = call.text("event").upper(), call.text("handler")
    found = _find(call, event, handler, _auth_type(call) if call.parameter("auth_type") is not None else None)
    kept = [binding for binding in call.installation.events if binding not in found]
    call.installation.events[:] = kept
    return RestAnswer({"count": len(found)})


def list_events(call: RestCall) -> RestAnswer:
    """api-reference/events/event-get.md; a user who is no administrator gets only their own handlers."""
    shown = [
        {
            "event": binding.event,
            "handler": binding.handler,
            "auth_type": str(binding.auth_type),
            "offline": int(binding.is_offline),
        }
        for binding in call.installation.events
        if call.user.is_admin or binding.auth_type == call.user.id
    ]
    return RestAnswer(shown)


def _auth_type(call: RestCall) -> int:
    """The user whose tokens the event carries; 0 is the user that causes it. For a caller without
    administrator rights it is always the caller.
    """
    asked = call.text("auth_type")
    if call.user.is_admin:
        return int(asked or 0)
    if asked and int(asked) != call.user.id:
        message = "Access denied! Event binding with AUTH_TYPE requires administrator access rights"
        raise Refusal("ACCESS_DENIED", 403, message)
    return call.user.id


def _find(call: RestCall, event: str, handler: str, auth_type: int | None) -> list[EventBinding]:
    return [
        binding
        for binding in call.installation.events
        if event in ("", binding.event)
        and handler in ("", binding.handler)
        and auth_type in (None, binding.auth_type)
    ]


METHODS = {
    "event.bind": Method(bind_event),
    "event.unbind": Method(unbind_event),
    "event.get": Method(list_events),
}
