"""CRM cards in which Callbook has a tab, and the calls of a card that one user may see.

A card's page passes its id and nothing more, and statistics name no deals. So the calls of a card are found
by its call activities. Documentation: api-reference/widgets/crm/detail-tab.md;
api-reference/crm/timeline/activities/activity-base/crm-activity-list.md (filter BINDINGS);
api-reference/crm/data-types.md (object types); crm-contact-get.md and the pages of the other cards.
"""

import msgspec

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.portal_client import Command, PortalClient
from app.bitrix24.rest.whole_lists import PAGE, read_pages
from app.kit.json_values import decode_json, read_whole

MAX_ACTIVITIES = 500
MISSING_SCOPE = "insufficient_scope"
CALL_TYPE = 2  # crm.enum.activitytype


class CardKind(msgspec.Struct, frozen=True):
    """One kind of card: its name in the statistics, its number in CRM, and the method that reads one card."""

    name: str
    type_id: int
    method: str


CARDS = {
    "CRM_LEAD_DETAIL_TAB": CardKind("LEAD", 1, "crm.lead.get"),
    "CRM_DEAL_DETAIL_TAB": CardKind("DEAL", 2, "crm.deal.get"),
    "CRM_CONTACT_DETAIL_TAB": CardKind("CONTACT", 3, "crm.contact.get"),
    "CRM_COMPANY_DETAIL_TAB": CardKind("COMPANY", 4, "crm.company.get"),
}


def read_card_id(placement_options: str) -> int | None:
    """The card's id in the PLACEMENT_OPTIONS of its page (`{"ID": "6591"}`); None when there is none."""
    try:
        options = decode_json(placement_options, dict[str, object])
    except msgspec.DecodeError:
        return None
    return read_whole(options.get("ID"), 1)


async def list_call_activities(
    client: PortalClient, access_token: str, kind: CardKind, card_id: int
) -> list[int] | None:
    """The ids of a card's newest call activities, at most 500; None when this user may not read the card.

    `access_token` is the viewer's, so the portal cuts both answers to the viewer's rights. Two requests
    suffice for any number of activities; more would be too many, because the portal admits two a second for
    all its viewers. Raises as `PortalClient.call` does.
    """
    method, parameters = _list_activities(kind, card_id)
    commands: dict[str, Command] = {
        "card": (kind.method, {"id": card_id}),
        "activities": (method, {**parameters, "start": 0}),
    }
    answer = await client.batch(commands, access_token, is_halting=True)
    if error := answer.errors.get("card"):
        if error.code == MISSING_SCOPE:
            raise error
        return None
    if error := answer.errors.get("activities"):
        raise error
    pages = [answer.results.get("activities")]
    if "activities" in answer.nexts:
        last = min(answer.totals.get("activities", MAX_ACTIVITIES), MAX_ACTIVITIES)
        pages += await read_pages(client, access_token, (method, parameters), range(PAGE, last, PAGE))
    return [activity_id for page in pages for activity_id in _read_ids(page)]


def _list_activities(kind: CardKind, card_id: int) -> Command:
    bindings = [{"OWNER_TYPE_ID": kind.type_id, "OWNER_ID": card_id}]
    conditions = {"BINDINGS": bindings, "TYPE_ID": CALL_TYPE}
    parameters = {"filter": conditions, "select": ["ID"], "order": {"ID": "DESC"}}
    return "crm.activity.list", parameters


def _read_ids(rows: object) -> list[int]:
    if not isinstance(rows, list):
        raise BitrixError("malformed_answer", 200, "the portal gave no list of activities")
    numbers = [read_whole(row.get("ID")) for row in rows[:PAGE] if isinstance(row, dict)]
    return [number for number in numbers if number is not None]
