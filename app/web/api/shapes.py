"""A call in the JSON API (docs/interface.md, "Calls"); an absent or empty value is null."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.calls.log.logged_calls import LoggedCall, LoggedLeg
from app.calls.store.outcome import Direction, Outcome
from app.web.display.presenter import plain_cost, to_iso


class CrmEntity(msgspec.Struct, frozen=True):
    """The CRM card of a call."""

    type: str
    id: int


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One leg: the part of a call at one operator."""

    type: int | None
    direction: Direction | None
    outcome: Outcome | None
    code: str | None
    reason: str | None
    phone_number: str | None
    portal_number: str | None
    user_id: int | None
    operator: str | None
    started_at: str
    duration_s: int | None
    cost: str | None
    currency: str | None
    crm_activity_id: int | None
    crm_entity: CrmEntity | None
    recording: bool
    transcript: bool
    vote: int | None
    comment: str | None


class Call(Leg, frozen=True, kw_only=True):
    """One call, with the facts of its answered leg, else of its last one.

    `confirmed`: whether the portal's own statistics show the call; null while that is not known.
    """

    call_id: str
    source: str
    confirmed: bool | None
    legs: list[Leg]


def show_call(call: LoggedCall, legs: Sequence[LoggedLeg], names: Mapping[int, str]) -> Call:
    """The call with its legs; `names` has the known users by id."""
    return Call(
        **_facts_of(call, names),
        call_id=call.call_id,
        source=call.source,
        confirmed=call.confirmed,
        legs=[Leg(**_facts_of(leg, names)) for leg in legs],
    )


def _facts_of(leg: LoggedLeg, names: Mapping[int, str]) -> dict[str, Any]:
    """The values of the fields of `Leg`."""
    entity = None
    if leg.crm_entity_type and leg.crm_entity_id is not None:
        entity = CrmEntity(leg.crm_entity_type, leg.crm_entity_id)
    return {
        "type": leg.type if leg.direction else None,
        "direction": leg.direction,
        "outcome": leg.outcome,
        "code": leg.code,
        "reason": leg.reason,
        "phone_number": leg.phone_number,
        "portal_number": leg.portal_number,
        "user_id": leg.user_id,
        "operator": (names.get(leg.user_id) if leg.user_id is not None else None) or None,
        "started_at": to_iso(leg.started_at),
        "duration_s": leg.duration_s,
        "cost": None if leg.cost_e4 is None else plain_cost(leg.cost_e4),
        "currency": leg.currency,
        "crm_activity_id": leg.crm_activity_id,
        "crm_entity": entity,
        "recording": leg.has_recording,
        "transcript": leg.has_transcript,
        "vote": leg.vote,
        "comment": leg.comment,
    }
