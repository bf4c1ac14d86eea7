"""One ended call, from every shape that its values have in events."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24.incoming.call_end import INT64_MAX, CallRecord, Undecodable, decode_call_end
from app.bitrix24.incoming.statistics import decode_statistics_row
from app.kit.calendar import has_date

DATA = {
    "CALL_ID": "externalCall.7b0c7de811455ef32b18dc5917e4306a.1773239327",
    "CALL_TYPE": "1",
    "PHONE_NUMBER": "+19065550100",
    "PORTAL_NUMBER": "REST_APP:",
    "PORTAL_USER_ID": "1269",
    "CALL_DURATION": "0",
    "CALL_START_DATE": "2026-03-11T17:28:46+02:00",
    "COST": "0",
    "COST_CURRENCY": "",
    "CALL_FAILED_CODE": "304",
    "CALL_FAILED_REASON": "Call canceled",
    "CRM_ACTIVITY_ID": "7953",
}
ROW = DATA | {
    "ID": "7",
    "CALL_VOTE": "5",
    "COST": "0.0125",
    "CRM_ENTITY_TYPE": "CONTACT",
    "CRM_ENTITY_ID": "797",
    "TRANSCRIPT_ID": "1",
    "RECORD_FILE_ID": 9079,
    "CALL_RECORD_URL": None,
    "COMMENT": None,
}


def test_the_documented_call_is_read() -> None:
    assert decode_call_end(DATA) == CallRecord(
        call_id=DATA["CALL_ID"],
        type=1,
        phone_number="+19065550100",
        portal_number="REST_APP:",
        user_id=1269,
        started_at=1773242926,
        duration_s=0,
        cost_e4=0,
        currency=None,
        code="304",
        reason="Call canceled",
        crm_activity_id=7953,
    )


def test_all_but_the_id_may_be_missing() -> None:
    record = decode_call_end({"CALL_ID": "x"})
    assert record.call_id == "x"
    assert [getattr(record, name) for name in record.__struct_fields__[1:]] == [None] * 11
    assert decode_call_end(dict.fromkeys(DATA, "") | {"CALL_ID": "x"}) == record


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("CALL_ID", ""),
        ("CALL_ID", "x" * 256),
        ("CALL_TYPE", "one"),
        ("CALL_TYPE", "6"),
        ("CALL_TYPE", "0"),
        ("CALL_DURATION", "1.5"),
        ("CALL_DURATION", "-1"),
        ("CALL_DURATION", " 1"),
        ("CALL_DURATION", "1_0"),
        ("CALL_DURATION", "١"),
        ("CALL_DURATION", str(INT64_MAX + 1)),
        ("CALL_DURATION", "9" * 10_000),
        ("PORTAL_USER_ID", "nobody"),
        ("CRM_ACTIVITY_ID", "9" * 30),
        ("CALL_START_DATE", "yesterday"),
        ("CALL_START_DATE", "2026-03-11T17:28:46"),
        ("CALL_START_DATE", "2026-13-11T17:28:46+02:00"),
        ("CALL_START_DATE", "0000-01-01T00:00:00+00:00"),
        ("CALL_START_DATE", "2026-03-11"),
        ("CALL_START_DATE", "\ud800"),
        ("COST", "free"),
        ("COST", "NaN"),
        ("COST", "1,5"),
        ("COST", "1e99"),
        ("COST", "9" * 30),
        ("COST", "1e999999999"),
    ],
)
def test_what_contradicts_the_documentation_is_undecodable_and_not_repeated(key: str, value: str) -> None:
    with pytest.raises(Undecodable) as refusal:
        decode_call_end(DATA | {key: value})
    assert key in refusal.value.reason
    assert not value or len(value) < 3 or value not in refusal.value.reason


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (" 19065550100", "+19065550100"),
        (" 1 906 555", "+1 906 555"),
        (" hidden", " hidden"),
        ("hidden", "hidden"),
        ("101", "101"),
        ("\x00<b>😀", "\x00<b>😀"),
        ("  19065550100", "  19065550100"),
        (" ", " "),
    ],
)
def test_a_lost_plus_is_the_only_repair_of_a_number(sent: str, kept: str) -> None:
    record = decode_call_end(DATA | {"PHONE_NUMBER": sent, "PORTAL_NUMBER": sent})
    assert (record.phone_number, record.portal_number) == (kept, kept)


@pytest.mark.parametrize(
    ("sent", "started_at"),
    [
        ("2026-03-11T15:28:46Z", 1773242926),
        ("2026-03-11T17:28:46 02:00", 1773242926),
        ("2026-03-11T17:28:46.999999+02:00", 1773242926),
        ("2026-03-11T10:28:46-0500", 1773242926),
        ("0001-01-01T14:00:00+14:00", -62135596800),
        ("9999-12-31T11:59:59.999999-12:00", 253402300799),
        ("1969-12-31T23:59:59.5+00:00", -1),
    ],
)
def test_any_year_and_offset_is_a_moment(sent: str, started_at: int) -> None:
    assert decode_call_end(DATA | {"CALL_START_DATE": sent}).started_at == started_at


@pytest.mark.parametrize("sent", ["0001-01-01T13:59:59+14:00", "9999-12-31T12:00:00-12:00"])
def test_a_start_that_utc_cannot_date_is_unknown(sent: str) -> None:
    assert decode_call_end(DATA | {"CALL_START_DATE": sent}).started_at is None
    assert decode_statistics_row(ROW | {"CALL_START_DATE": sent}).started_at is None


@given(st.datetimes(timezones=st.timezones()))
def test_every_moment_that_php_writes_is_read(moment: datetime) -> None:
    text = moment.replace(microsecond=0).isoformat()
    expected = int(moment.replace(microsecond=0).timestamp())
    started_at = decode_call_end(DATA | {"CALL_START_DATE": text}).started_at
    assert started_at == (expected if has_date(expected) else None)


@pytest.mark.parametrize(
    ("sent", "cost_e4"),
    [
        ("0.0000", 0),
        ("1", 10_000),
        ("12.34", 123_400),
        ("0.00005", 1),
        ("-0.5", -5000),
        ("1.0E-5", 0),
        ("1.", 10_000),
    ],
)
def test_money_is_kept_in_ten_thousandths(sent: str, cost_e4: int) -> None:
    assert decode_call_end(DATA | {"COST": sent}).cost_e4 == cost_e4


@pytest.mark.parametrize("code", ["603-S", "OTHER", "200", "999"])
def test_codes_stay_text(code: str) -> None:
    assert decode_call_end(DATA | {"CALL_FAILED_CODE": code}).code == code


def test_a_number_is_not_shown() -> None:
    assert "19065550100" not in repr(decode_call_end(DATA))


def test_a_row_of_the_statistics_knows_more() -> None:
    record = decode_statistics_row(ROW)
    assert record.statistics_id == 7
    assert (record.record_file_id, record.has_recording) == (9079, True)
    assert (record.transcript_id, record.has_transcript) == (1, True)
    assert (record.crm_entity_type, record.crm_entity_id) == ("CONTACT", 797)
    assert (record.vote, record.comment, record.cost_e4) == (5, None, 125)
    assert (record.call_id, record.type, record.started_at) == (DATA["CALL_ID"], 1, 1773242926)
    assert "19065550100" not in repr(record)


def test_a_recording_may_be_known_by_its_address_only() -> None:
    record = decode_statistics_row(
        ROW | {"RECORD_FILE_ID": None, "CALL_RECORD_URL": "https://x.example/r.mp3"}
    )
    assert (record.record_file_id, record.has_recording) == (None, True)
    assert not decode_statistics_row(ROW | {"RECORD_FILE_ID": None, "CALL_RECORD_URL": ""}).has_recording


@pytest.mark.parametrize("key", ["ID", "CALL_ID"])
def test_a_row_without_an_id_is_undecodable(key: str) -> None:
    with pytest.raises(Undecodable, match=key):
        decode_statistics_row(ROW | {key: None})


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text())
)
KEYS = st.sampled_from(sorted(ROW)) | st.text()


@given(st.dictionaries(KEYS, VALUES))
def test_any_dict_is_a_call_or_undecodable(data: dict[str, object]) -> None:
    for decode in (decode_call_end, decode_statistics_row):
        for merged in (data, ROW | data):
            try:
                record = decode(merged)
            except Undecodable:
                continue
            record.call_id.encode()
            assert record.duration_s is None or 0 <= record.duration_s <= INT64_MAX


def test_an_integer_without_a_text_is_undecodable() -> None:
    with pytest.raises(Undecodable):
        decode_call_end(DATA | {"COST_CURRENCY": 10**5000})
