"""Each field of a call, from the portal to its readers: the API, the files, the panel."""

import csv
import io
from typing import Any, NamedTuple

from app.calls.store.legs import CALL_FIELDS, TOLD_FIELDS
from app.demo.stand_in import StandIn
from tests.calls.statistics_rows import make_row
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab


class Field(NamedTuple):
    """One field: the portal's value, the API's answer, head and cell of a file, words of the panel."""

    told: dict[str, Any]
    api: dict[str, Any]
    file: tuple[str, str] | None
    panel: str | None


STARTED_AT = 1_794_997_063  # At 17 minutes and 43 seconds of its hour.
CARD = {"crm_entity": {"type": "LEAD", "id": 6643}}
FIELDS: dict[str, Field] = {
    "type": Field(
        {"call_type": 4}, {"type": 4, "direction": "callback"}, ("Direction", "Callback"), "Callback"
    ),
    "phone_number": Field(
        *({"phone_number": "+12025550187"}, {"phone_number": "+12025550187"}),
        *(("Number", "+1 202-555-0187"), "+1 202-555-0187"),
    ),
    "portal_number": Field(
        *({"portal_number": "reg7781"}, {"portal_number": "reg7781"}, ("Line", "reg7781"), "reg7781"),
    ),
    "user_id": Field(
        *({"user_id": 12}, {"user_id": 12, "operator": "Jonas Falk"}),
        *(("Employee", "Jonas Falk"), "Jonas Falk"),
    ),
    "started_at": Field(
        *({"started_at": STARTED_AT}, {"started_at": "2026-11-18T10:17:43Z"}),
        *(("Time (Europe/Berlin)", "2026-11-18 11:17:43"), "2026-11-18T10:17:43Z"),
    ),
    "duration_s": Field({"duration_s": 4987}, {"duration_s": 4987}, ("Duration", "1:23:07"), "1:23:07"),
    "cost_e4": Field({"cost": "7.6543"}, {"cost": "7.6543"}, ("Cost", "7.6543"), "7.6543"),
    "currency": Field({"currency": "CHF"}, {"currency": "CHF"}, ("Currency", "CHF"), "CHF"),
    "code": Field({"code": "603-S"}, {"code": "603-S", "outcome": "cancelled"}, ("Code", "603-S"), "603-S"),
    "reason": Field({"reason": "Odd 5521"}, {"reason": "Odd 5521"}, ("Reason", "Odd 5521"), "Odd 5521"),
    "crm_activity_id": Field({"crm_activity_id": 88123}, {"crm_activity_id": 88123}, None, None),
    "crm_entity_type": Field({"crm_entity_type": "LEAD"}, CARD, ("CRM card", "Lead 6643"), "Lead 6643"),
    "crm_entity_id": Field({"crm_entity_id": 6643}, CARD, ("CRM card", "Lead 6643"), "Lead 6643"),
    "has_recording": Field(
        {"record_file_id": 9}, {"recording": True}, ("Recording", "Yes"), "data-recording"
    ),
    "has_transcript": Field(
        {"transcript_id": 3}, {"transcript": True}, ("Transcript", "Yes"), "data-transcript"
    ),
    "vote": Field({"vote": 4}, {"vote": 4}, ("Vote", "4"), 'aria-label="4 of 5"'),
    "comment": Field({"comment": "Odd 9917"}, {"comment": "Odd 9917"}, ("Comment", "Odd 9917"), "Odd 9917"),
}


async def read(tab: Tab, call_id: str) -> tuple[dict[str, Any], dict[str, str], str]:
    """One call as the API, a file and the panel have it."""
    answer = (await tab.get(f"/api/v1/calls/{call_id}")).json()
    file = (await tab.get("/api/v1/calls.csv")).content.decode("utf-8-sig")
    lines = {line["Call ID"]: line for line in csv.DictReader(io.StringIO(file, newline=""))}
    return answer, lines[call_id], (await tab.get(f"/log/calls/{call_id}")).text


def test_each_field_has_its_place() -> None:
    assert set(FIELDS) == set(CALL_FIELDS)


async def test_a_field_of_the_statistics_is_shown_wherever_calls_are(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    told = {name: value for field in FIELDS.values() for name, value in field.told.items()}
    portal.state.statistics.append(make_row(1, **told))
    await install(callbook, portal)
    tab = await open_tab(callbook, portal)
    await callbook.settle()
    call, line, panel = await read(tab, "call.1")
    for name, field in FIELDS.items():
        assert call | field.api == call, name
        assert call["legs"][0] | field.api == call["legs"][0], name
        assert field.file is None or line[field.file[0]] == field.file[1], name
        assert field.panel is None or field.panel in panel, name


async def test_a_field_of_an_event_is_shown_before_the_statistics_tell_it(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    await install(callbook, portal)
    fields = {name: FIELDS[name] for name in FIELDS if name in TOLD_FIELDS}
    told = {name: value for field in fields.values() for name, value in field.told.items()}
    ended = await portal.end_call(**told, visible_after_s=3600)
    tab = await open_tab(callbook, portal)
    await callbook.settle()
    call, line, panel = await read(tab, ended.call_id)
    assert call["confirmed"] is None
    for name, field in fields.items():
        assert call | field.api == call, name
        assert field.file is None or line[field.file[0]] == field.file[1], name
        assert field.panel is None or field.panel in panel, name
