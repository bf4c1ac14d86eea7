"""The log beside the portal's own statistics: compared row for row and field for field, and by its
promises.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from app.calls.log.selection.filters import Filters
from app.calls.log.summary_queries import summarize
from app.calls.statistics.progress.mark_queries import find_mark
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.statistics import StatisticsRow
from app.kit.storage.database import Database
from app.portals.settings.visible_users import EVERYONE
from tests.month.truth import Look

STORED = "SELECT statistics_id, call_id FROM call_legs WHERE statistics_id IS NOT NULL AND gone_at IS NULL"


async def look_at_log(database: Database, ahead_s: int) -> Look | None:
    """The log's claims about itself, read by the product's own query; None as long as it claims nothing.

    `ahead_s`: so many seconds may the wall clock have been ahead of the true time when it dated something.
    """
    portals = await database.run("SELECT id, generation FROM portals WHERE state = 'installed'")
    mark = (
        await find_mark(*(int(str(portals[0][name])) for name in ("id", "generation"))) if portals else None
    )
    if mark is None or mark.complete_up_to is None or mark.audited_at is None:
        return None
    stored = {int(str(row["statistics_id"])): str(row["call_id"]) for row in await database.run(STORED)}
    return Look(mark.complete_up_to, mark.audited_at - ahead_s, (mark.full_read_at or 0) - ahead_s, stored)


async def count_counted(database: Database) -> int:
    """The number of calls that count in summaries and reports."""
    (portal,) = await database.run("SELECT id FROM portals")
    return (await summarize(int(str(portal["id"])), EVERYONE, Filters())).calls


async def read_log(portal: StandInPortal, url: str) -> list[dict[str, Any]]:
    """Every call, page by page, as the API shows it to an administrator."""
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
    """The rows that the API should show of the statistics, by CALL_ID: the answered leg, else the last; all
    legs.
    """
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
    calls: Iterable[Mapping[str, Any]],
    expected: Mapping[str, Mapping[str, Any]],
    former: Collection[str] = (),
) -> list[str]:
    """Each call that is missing, doubled or foreign, and each field that differs, in words.

    Calls that the statistics once showed (`former`) and lack now may stay for 30 days, but not confirmed.
    """
    differences: list[str] = []
    seen: set[str] = set()
    for call in calls:
        call_id = str(call["call_id"])
        if call_id in seen:
            differences.append(f"{call_id} is doubled")
        elif call_id in expected:
            differences += _compare(call_id, call, expected[call_id])
        elif call_id not in former or call["confirmed"] is not False:
            differences.append(f"{call_id} is in no statistics, and confirmed: {call['confirmed']}")
        seen.add(call_id)
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
    """A row's fields as the API shows them; texts that are empty there are null here."""
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
