"""`crm.activity.list` and the cards: `crm.lead.get`, `crm.deal.get`, `crm.contact.get`, `crm.company.get`.

A card exists once a call or a binding names it. Object types as in api-reference/crm/data-types.md.
"""

from collections.abc import Callable, Iterator
from typing import Any

from app.demo.core.faults import Refusal
from app.demo.rest.rest_call import Method, RestAnswer, RestCall, cut_page

Card = tuple[int, int]
TYPES = {"LEAD": 1, "DEAL": 2, "CONTACT": 3, "COMPANY": 4}
CALL = "2"  # crm.enum.activitytype


def list_activities(call: RestCall) -> RestAnswer:
    """api-reference/crm/timeline/activities/activity-base/crm-activity-list.md

    Only activities of cards that the user may read. BINDINGS is a list; each item has a type, an id, or both.
    """
    conditions = call.parameter("filter") or {}
    wanted = _items(conditions.get("BINDINGS"))
    is_of_calls = str(conditions.get("TYPE_ID", CALL)) == CALL
    found: dict[int, Card] = {}
    for activity_id, card in _bindings(call) if is_of_calls else ():
        if _is_readable(call, card) and (not wanted or any(_is_bound(item, card) for item in wanted)):
            found.setdefault(activity_id, card)
    is_descending = str((call.parameter("order") or {}).get("ID", "")).upper() == "DESC"
    rows = [
        {"ID": str(activity_id), "OWNER_TYPE_ID": str(type_id), "OWNER_ID": str(card_id), "TYPE_ID": CALL}
        for activity_id, (type_id, card_id) in sorted(found.items(), reverse=is_descending)
    ]
    selected = _items(call.parameter("select")) or ["*"]
    if "*" not in selected:
        rows = [{key: value for key, value in row.items() if key in selected} for row in rows]
    return cut_page(rows, call.parameter("start"))


def _read_card(kind: str) -> Callable[[RestCall], RestAnswer]:
    """api-reference/crm/contacts/crm-contact-get.md and the pages of the other cards; errors have no code."""

    def read(call: RestCall) -> RestAnswer:
        card = (TYPES[kind], int(call.text("id") or 0))
        if card not in {bound for _, bound in _bindings(call)}:
            raise Refusal("", 400, "Not found")
        if not _is_readable(call, card):
            raise Refusal("", 400, "Access denied")
        return RestAnswer({"ID": str(card[1]), "ASSIGNED_BY_ID": "1"})

    return read


def _bindings(call: RestCall) -> Iterator[tuple[int, Card]]:
    for row in call.state.statistics:
        type_id = TYPES.get(row.crm_entity_type or "")
        if type_id is not None and row.crm_entity_id is not None:
            yield row.crm_activity_id or 0, (type_id, row.crm_entity_id)
    for bound in call.state.activity_bindings:
        yield bound.activity_id, (bound.owner_type_id, bound.owner_id)


def _items(value: object) -> list[Any]:
    """The items of a list; in a batch's command it comes as PHP's array with the keys 0, 1, …"""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _is_readable(call: RestCall, card: Card) -> bool:
    return not any(
        closed.user_id == call.user.id and (closed.owner_type_id, closed.owner_id) == card
        for closed in call.state.closed_cards
    )


def _is_bound(item: dict[str, object], card: Card) -> bool:
    names = ("OWNER_TYPE_ID", "OWNER_ID")
    return all(str(item.get(name, own)) == str(own) for name, own in zip(names, card, strict=True))


METHODS = {
    "crm.activity.list": Method(list_activities, ("crm",)),
    **{f"crm.{kind.lower()}.get": Method(_read_card(kind), ("crm",)) for kind in TYPES},
}
