"""What the app asks the portal to send and to show: event handlers and placements, bound where they lack.

Documentation: api-reference/events/event-bind.md, event-get.md; api-reference/widgets/placement-bind.md,
placement-get.md.
"""

from collections.abc import Iterable, Mapping

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest import Command, PortalClient


async def bind_events(
    client: PortalClient, access_token: str, handler_url: str, events: Iterable[str]
) -> list[str]:
    """Bind the events that are not bound to this handler yet, and give back which these were.

    No `auth_type`: the tokens of an event are never used. Raises the first error of a command.
    """
    bound = (await client.call("event.get", {}, access_token)).result
    present = {_word(item, "event").upper() for item in _items(bound) if _is_ours(item, handler_url)}
    missing = [event for event in events if event.upper() not in present]
    commands: dict[str, Command] = {
        event: ("event.bind", {"event": event, "handler": handler_url}) for event in missing
    }
    answer = await client.batch(commands, access_token)
    for error in answer.errors.values():
        if not _is_already_bound(error):
            raise error
    return missing


async def bind_placement(
    client: PortalClient, access_token: str, placement: str, handler_url: str, titles: Mapping[str, str]
) -> bool:
    """Bind the placement, with a title for each language; False when it was bound already.

    Needs an administrator's token. Some of its errors come with HTTP 200; all are raised as BitrixError.
    """
    for item in _items((await client.call("placement.get", {}, access_token)).result):
        if _word(item, "placement").upper() == placement.upper() and _word(item, "handler") == handler_url:
            return False
    parameters = {
        "PLACEMENT": placement,
        "HANDLER": handler_url,
        "TITLE": titles.get("en") or next(iter(titles.values())),
        "LANG_ALL": {language: {"TITLE": title} for language, title in titles.items()},
    }
    try:
        answer = await client.call("placement.bind", parameters, access_token)
    except BitrixError as error:
        if _is_already_bound(error):
            return False
        raise
    if answer.result is not True:
        raise BitrixError("placement_not_bound", 200, "the portal did not register the placement")
    return True


def _items(result: object) -> list[dict[str, object]]:
    return [item for item in result if isinstance(item, dict)] if isinstance(result, list) else []


def _word(item: Mapping[str, object], key: str) -> str:
    """Portals spell the keys in lower case; older ones in upper case."""
    value = item.get(key, item.get(key.upper()))
    return value if isinstance(value, str) else ""


def _is_ours(item: Mapping[str, object], handler_url: str) -> bool:
    """A handler for one user, or for offline events, is not the one that we need."""
    is_for_all = str(item.get("auth_type") or "0") == "0" and str(item.get("offline") or "0") == "0"
    return is_for_all and _word(item, "handler") == handler_url


def _is_already_bound(error: BitrixError) -> bool:
    """Portals say "Handler already binded" under a code that they use for much else."""
    return "already" in error.description.lower() or "already" in error.code
