"""Bindings in a portal: event handlers and placements. Missing ones are bound, outdated ones unbound.

A portal lists the bindings of this application only. So a binding for all users at another address is an old
one, from before this installation moved. It is unbound once the new one is bound.
Documentation: api-reference/events/event-bind.md, event-unbind.md, event-get.md;
api-reference/widgets/placement-bind.md, placement-unbind.md, placement-get.md.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.portal_client import MAX_BATCH, Command, PortalClient


async def bind_events(
    client: PortalClient,
    access_token: str,
    handler_url: str,
    events: Iterable[str],
    optional: Collection[str] = (),
) -> list[str]:
    """Bind the events that are not bound to this handler yet, and return their names.

    `auth_type` is not sent, because the tokens of an event are never used. Raises the first error of a
    command, except for an `optional` event, which some portals do not know.
    """
    wanted = [*events, *optional]
    bound = _items((await client.call("event.get", {}, access_token)).result)
    present = {_word(item, "event").upper() for item in bound if _is_ours(item, handler_url)}
    missing = [event for event in wanted if event.upper() not in present]
    commands: dict[str, Command] = {
        event: ("event.bind", {"event": event, "handler": handler_url}) for event in missing
    }
    answer = await client.batch(commands, access_token)
    for event, error in answer.errors.items():
        if not _is_already_bound(error) and event not in optional:
            raise error
    stale = {
        f"{event}{index}": ("event.unbind", {"event": event, "handler": _word(item, "handler")})
        for index, item in enumerate(bound)
        if (event := _word(item, "event").upper()) in wanted
        and _is_for_all(item)
        and not _is_ours(item, handler_url)
    }
    await _unbind(client, access_token, stale)
    return missing


async def bind_placements(
    client: PortalClient,
    access_token: str,
    handler_url: str,
    titles: Mapping[str, str],
    placements: Collection[str] = (),
    optional: Collection[str] = (),
) -> list[str]:
    """Bind the placements that are not bound to this handler yet, with a title for each language.

    An `optional` placement is bound when the portal offers it to this app. Those that it does not offer are
    returned: the portal lacks a scope or a part of the product. Needs an administrator's token. Raises the
    first error of a command; some errors of placements come with HTTP 200.
    Documentation: api-reference/widgets/placement-list.md.
    """
    asked: dict[str, Command] = {"bound": ("placement.get", {})}
    # Asked only about optional placements: a portal that cannot answer `placement.list` can still bind the
    # required ones.
    if optional:
        asked["offered"] = ("placement.list", {})
    found = await client.batch(asked, access_token)
    for error in found.errors.values():
        raise error
    offered = _words(found.results.get("offered"))
    lacking = [placement for placement in optional if placement not in offered]
    wanted = [*placements, *(placement for placement in optional if placement in offered)]
    bound = {
        (_word(item, "placement").upper(), _word(item, "handler"))
        for item in _items(found.results.get("bound"))
    }
    missing = [placement for placement in wanted if (placement, handler_url) not in bound]
    await _bind(client, access_token, missing, handler_url, titles)
    stale: dict[str, Command] = {
        f"p{index}": ("placement.unbind", {"PLACEMENT": placement, "HANDLER": handler})
        for index, (placement, handler) in enumerate(sorted(bound))
        if placement in wanted and handler != handler_url
    }
    await _unbind(client, access_token, stale)
    return lacking


async def _unbind(client: PortalClient, access_token: str, stale: Mapping[str, Command]) -> None:
    """Unbind as many as one request takes; a portal can list any number, and the next check takes
    the others.
    """
    await client.batch(dict(islice(stale.items(), MAX_BATCH)), access_token)


async def _bind(
    client: PortalClient,
    access_token: str,
    placements: Iterable[str],
    handler_url: str,
    titles: Mapping[str, str],
) -> None:
    parameters = {
        "HANDLER": handler_url,
        "TITLE": titles.get("en") or next(iter(titles.values())),
        "LANG_ALL": {language: {"TITLE": title} for language, title in titles.items()},
    }
    commands: dict[str, Command] = {
        placement: ("placement.bind", {"PLACEMENT": placement, **parameters}) for placement in placements
    }
    answer = await client.batch(commands, access_token)
    for placement in commands:
        error = answer.errors.get(placement)
        if error and not _is_already_bound(error):
            raise error
        if not error and answer.results.get(placement) is not True:
            raise BitrixError("placement_not_bound", 200, "the portal did not register the placement")


def _words(result: object) -> set[str]:
    return {code.upper() for code in result if isinstance(code, str)} if isinstance(result, list) else set()


def _items(result: object) -> list[dict[str, object]]:
    return [item for item in result if isinstance(item, dict)] if isinstance(result, list) else []


def _word(item: Mapping[str, object], key: str) -> str:
    """The text under a key, which portals spell in lower case and older portals in upper case; or empty."""
    value = item.get(key, item.get(key.upper()))
    return value if isinstance(value, str) else ""


def _is_ours(item: Mapping[str, object], handler_url: str) -> bool:
    """Whether this handler is bound for all users; one for a single user, or for offline events,
    does not count.
    """
    return _is_for_all(item) and _word(item, "handler") == handler_url


def _is_for_all(item: Mapping[str, object]) -> bool:
    return str(item.get("auth_type") or "0") == "0" and str(item.get("offline") or "0") == "0"


def _is_already_bound(error: BitrixError) -> bool:
    """Whether the error says "Handler already binded"; portals use its code for many other errors."""
    return "already" in error.description.lower() or "already" in error.code
