"""The log opens after events and rows with any values: a call that cannot be shown would close it for
ever.
"""

import contextlib
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.bitrix24.incoming.call_end import Undecodable
from app.bitrix24.incoming.payloads import _CALL_KEYS
from app.bitrix24.incoming.statistics import decode_statistics_row
from app.calls.space.destination import Destination
from app.calls.statistics.fetch.merge import write_rows
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from tests.running import Callbook
from tests.web.browsing import Tab, install, open_tab

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
WORST_DATES = ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"]
LARGEST = str(2**63 - 1)
PLAUSIBLE = {
    "CALL_TYPE": st.sampled_from("12345"),
    "PHONE_NUMBER": st.from_regex(r"[ +]?[0-9]{1,20}", fullmatch=True) | st.just("hidden"),
    "PORTAL_USER_ID": st.sampled_from(["1", LARGEST]),
    "CALL_DURATION": st.sampled_from(["0", "61", LARGEST]),
    "CALL_START_DATE": st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
    | st.sampled_from(WORST_DATES),
    "COST": st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.just("922337203685477.5807"),
    "COST_CURRENCY": st.from_regex(r"[A-Za-z]{3}", fullmatch=True),
    "CALL_FAILED_CODE": st.sampled_from(["200", "304", "603-S", "OTHER"]),
}
MOMENTS = st.integers(0, 10**18).map(str)
DATA = st.fixed_dictionaries(
    {}, optional={key: PLAUSIBLE.get(key, st.nothing()) | st.text() for key in _CALL_KEYS if key != "CALL_ID"}
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"ID": st.integers(1, 2**63 - 1).map(str), "CALL_ID": st.text(min_size=1, max_size=255)},
        optional={
            **{key: strategy | st.text() for key, strategy in PLAUSIBLE.items()},
            **{key: st.text() for key in ("COMMENT", "CRM_ENTITY_TYPE", "CALL_RECORD_URL")},
            **{key: st.integers(0, 2**63 - 1) for key in ("CALL_VOTE", "CRM_ENTITY_ID", "RECORD_FILE_ID")},
        },
    ),
    min_size=1,
    max_size=20,
)
# A call that closes the log once closes it for all later examples, so there is nothing to shrink.
ONE_LOG = settings(
    max_examples=20,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
EVENTS = st.lists(st.tuples(st.text(max_size=255), DATA, MOMENTS | st.text()), min_size=1, max_size=20)


@pytest.fixture
async def portal(stand_in: StandIn) -> StandInPortal:
    return stand_in.portals[0]


@pytest.fixture
async def opened(callbook: Callbook, portal: StandInPortal) -> Tab:
    await install(callbook, portal)
    callbook.parts.streams.pause_s = 0.0
    return await open_tab(callbook, portal)


async def end_call(callbook: Callbook, portal: StandInPortal, data: dict[str, str], ts: str = "") -> None:
    fields: dict[str, Any] = {f"data[{key}]": value for key, value in data.items()}
    fields |= {"event": "ONVOXIMPLANTCALLEND", "ts": ts, "auth[member_id]": portal.member_id}
    fields |= {"auth[application_token]": portal.application_token}
    body = urlencode(fields, errors="replace")
    answer = await callbook.client.post("/events", content=body, headers=FORM)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def assert_log_opens(opened: Tab, portal: StandInPortal) -> None:
    tab = await open_tab(opened.callbook, portal)
    cursor: str | None = ""
    while cursor is not None:
        answer = await tab.get("/api/v1/calls", limit=500, cursor=cursor)
        assert answer.status_code == 200, answer.text
        cursor = answer.json()["next_cursor"]
    assert (await tab.get("/log/rows", limit=500)).status_code == 200
    assert (await tab.get("/log/choices")).status_code == 200
    headers = {"Authorization": f"Bearer {tab.token}"}
    async with tab.callbook.client.stream("GET", "/live", headers=headers) as stream:
        assert await anext(stream.aiter_lines()) == "event: changed"


@pytest.mark.parametrize(
    ("data", "ts"),
    [
        *(({"CALL_START_DATE": date}, "") for date in WORST_DATES),
        ({"CALL_DURATION": LARGEST}, "1"),
        ({}, "9" * 18),
    ],
)
async def test_a_call_without_a_possible_date_closes_no_log(
    opened: Tab, portal: StandInPortal, data: dict[str, str], ts: str
) -> None:
    await end_call(opened.callbook, portal, {"CALL_ID": "x"} | data, ts)
    await assert_log_opens(opened, portal)
    assert await opened.list_ids() == ["x"]


@ONE_LOG
@given(events=EVENTS)
async def test_no_event_closes_the_log(
    opened: Tab, portal: StandInPortal, events: list[tuple[str, dict[str, str], str]]
) -> None:
    for call_id, data, ts in events:
        await end_call(opened.callbook, portal, {"CALL_ID": call_id} | data, ts)
    await assert_log_opens(opened, portal)


@ONE_LOG
@given(rows=ROWS)
async def test_no_row_of_the_statistics_closes_the_log(
    opened: Tab, portal: StandInPortal, rows: list[dict[str, object]]
) -> None:
    parts = opened.callbook.parts
    (stored,) = await opened.callbook.run_sql("SELECT id, generation FROM portals")
    destination = Destination(
        database=parts.database,
        changes=parts.changes,
        portal_id=stored["id"],
        generation=stored["generation"],
        room=parts.room,
    )
    records = []
    for row in rows:
        with contextlib.suppress(Undecodable):
            records.append(decode_statistics_row(row))
    await write_rows(destination, records, parts.clock.now())
    await assert_log_opens(opened, portal)
