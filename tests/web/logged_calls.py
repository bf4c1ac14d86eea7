"""Calls for tests: as the log reads them, and as rows of a database."""

from typing import Any

from app.calls.log.logged_calls import LoggedCall
from app.calls.store.outcome import direction_of, outcome_of
from app.calls.tables import CallLegTable, CallTable
from app.kit.text import storable

NOW = 1_795_000_000


def logged(**changes: Any) -> LoggedCall:
    fields: dict[str, Any] = {
        "id": 1,
        "call_id": "1",
        "type": 2,
        "code": "200",
        "reason": None,
        "phone_number": "+14155550142",
        "portal_number": None,
        "user_id": 1,
        "started_at": NOW,
        "duration_s": 5,
        "cost_e4": None,
        "currency": None,
        "crm_activity_id": None,
        "crm_entity_type": None,
        "crm_entity_id": None,
        "has_recording": False,
        "has_transcript": False,
        "vote": None,
        "comment": None,
        "source": "event",
        "confirmed": None,
    }
    fields |= changes
    fields["direction"] = direction_of(fields["type"])
    fields["outcome"] = outcome_of(fields["type"], fields["code"])
    return LoggedCall(**fields)


async def insert_calls(portal_id: int, *calls: dict[str, Any]) -> None:
    """Insert rows as ingest would write them; fields that a call leaves out get plain values."""
    rows = []
    for number, changes in enumerate(calls):
        fields: dict[str, Any] = {
            "portal_id": portal_id,
            "call_id": f"call-{number}",
            "type": 2,
            "phone_number": "+14155550142",
            "user_id": 1,
            "started_at": NOW - number,
            "duration_s": 5,
            "code": "200",
            "source": "event",
            "received_at": NOW,
            "has_recording": False,
            "has_transcript": False,
        }
        fields |= changes
        number_text = fields["phone_number"] or ""
        fields["phone_digits"] = (
            "".join(character for character in number_text if character.isdigit()) or None
        )
        stored = {
            name: storable(value) if isinstance(value, str) else value for name, value in fields.items()
        }
        row = CallTable()
        for name, value in stored.items():
            setattr(row, name, value)
        rows.append(row)
    for begin in range(0, len(rows), 500):  # A statement takes a limited number of parameters.
        await CallTable.insert(*rows[begin : begin + 500])


async def insert_legs(portal_id: int, call_id: str, *legs: tuple[int, str, int]) -> None:
    """Insert the legs of a call in their order, each with the user, the code and the seconds."""
    for number, (user_id, code, duration_s) in enumerate(legs):
        fields = {
            "portal_id": portal_id,
            "call_id": call_id,
            "statistics_id": number + 1,
            "type": 2,
            "phone_number": "+14155550142",
            "user_id": user_id,
            "started_at": NOW + number,
            "is_start_guessed": False,
            "duration_s": duration_s,
            "code": code,
            "has_recording": False,
            "has_transcript": False,
            "received_at": NOW,
        }
        leg = CallLegTable()
        for name, value in fields.items():
            setattr(leg, name, value)
        await CallLegTable.insert(leg)
