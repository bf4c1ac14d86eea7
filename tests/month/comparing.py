"""The log beside the portal's own statistics: row for row, field for field, and what was promised of it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from app.demo.portal import StandInPortal
from app.demo.statistics import StatisticsRow
from app.kit.database import Database

READ_UP_TO = "SELECT read_up_to FROM statistics_marks WHERE history_state = 'complete'"
STORED_IDS = "SELECT statistics_id FROM call_legs WHERE statistics_id IS NOT NULL"


async def find_missing(database: Database, shown_at: Mapping[int, int]) -> tuple[int | None, list[int]]:
    """The moment up to which the log says that it is complete, and the rows that it lacks all the same."""
    marks = await database.run(READ_UP_TO)
    if not marks:
        return None, []
    up_to = int(str(marks[0]["read_up_to"]))
    stored = {row["statistics_id"] for row in await database.run(STORED_IDS)}
    return up_to, [number for number, at in shown_at.items() if at <= up_to and number not in stored]


async def read_log(portal: StandInPortal, url: str) -> list[dict[str, Any]]:
    """Every call, page by page, as an administrator is shown it by the API."""
    body = {"member_id": portal.member_id, "auth_id": portal.issue_pair().access_token}
    calls: list[dict[str, Any]] = []
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
        session = (await http.post("/session", json=body)).json()
        cursor: str | None = None
        while True:
            parameters = {"limit": "500"} | ({"cursor": cursor} if cursor else {})
            headers = {"Authorization": f"Bearer {session['token']}"}
            page = (await http.get("/api/v1/calls", params=parameters, headers=headers)).json()
            calls += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return calls


def expect_log(rows: Iterable[StatisticsRow]) -> dict[str, dict[str, Any]]:
    """What the API should show of the statistics, by CALL_ID: the answered leg, else the last; all legs."""
    legs: dict[str, list[StatisticsRow]] = {}
    for row in rows:
        legs.setdefault(row.call_id, []).append(row)
    expected: dict[str, dict[str, Any]] = {}
    for call_id, found in legs.items():
        found.sort(key=lambda row: (row.started_at, row.id))
        shown = next((row for row in found[::-1] if row.code == "200"), found[-1])
        expected[call_id] = _facts_of(shown) | {
            "call_id": call_id,
            "confirmed": True,
            "legs": [_facts_of(row) for row in found],
        }
    return expected


def list_differences(
    calls: Iterable[Mapping[str, Any]], expected: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Each call that is missing, doubled or foreign, and each field that differs, in words."""
    differences: list[str] = []
    seen: set[str] = set()
    for call in calls:
        call_id = str(call["call_id"])
        if call_id in seen or call_id not in expected:
            differences.append(f"{call_id} is {'doubled' if call_id in seen else 'in no statistics'}")
            continue
        seen.add(call_id)
        differences += _compare(call_id, call, expected[call_id])
    return differences + [f"{call_id} is missing" for call_id in expected.keys() - seen]


def _compare(call_id: str, call: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    found = []
    for name, value in expected.items():
        if name == "legs":
            if len(call[name]) != len(value):
                found.append(f"{call_id} has {len(call[name])} legs, not {len(value)}")
            for number, (leg, row) in enumerate(zip(call[name], value, strict=False)):
                found += _compare(f"{call_id} leg {number}", leg, row)
        elif call[name] != value:
            found.append(f"{call_id} {name}: {call[name]!r}, not {value!r}")
    return found


def _facts_of(row: StatisticsRow) -> dict[str, Any]:
    """What the API says of a row; texts that are empty there are null here."""
    has_entity = row.crm_entity_type is not None and row.crm_entity_id is not None
    return {
        "type": row.call_type,
        "code": row.code,
        "reason": row.reason or None,
        "phone_number": row.phone_number,
        "portal_number": row.portal_number,
        "user_id": row.user_id,
        "started_at": datetime.fromtimestamp(row.started_at, UTC).isoformat().replace("+00:00", "Z"),
        "duration_s": row.duration_s,
        "cost": format(Decimal(row.cost).normalize(), "f"),
        "currency": row.currency or None,
        "crm_activity_id": row.crm_activity_id,
        "crm_entity": {"type": row.crm_entity_type, "id": row.crm_entity_id} if has_entity else None,
        "recording": row.record_file_id is not None,
        "transcript": row.transcript_id is not None,
        "vote": row.vote,
        "comment": row.comment,
    }
