"""Events and pages as portals post them, and as attackers do."""

import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.bitrix24.incoming.payloads import (
    Event,
    MalformedPage,
    NotAnEvent,
    decode_event,
    decode_form,
    decode_page,
)
from app.bitrix24.text import encode_form, unquote_form

FORM = "application/x-www-form-urlencoded"
SAMPLE_FORM = (
    b"event=ONVOXIMPLANTCALLEND&event_handler_id=1061&data%5BCALL_ID%5D=externalCall.7b0c.1773239327"
    b"&data%5BPHONE_NUMBER%5D=%2B19061234567&data%5BCALL_FAILED_REASON%5D=Call+canceled"
    b"&data%5BCOST_CURRENCY%5D=&ts=1773239624&auth%5Baccess_token%5D=s7p6eclr&auth%5Brefresh_token%5D=4s38"
    b"&auth%5Bserver_endpoint%5D=https%3A%2F%2Foauth.bitrix.info%2Frest%2F"
    b"&auth%5Bmember_id%5D=A223c6b9410f85df78e9377d6c4f7213&auth%5Bapplication_token%5D=51610fef"
)
TEXT = st.text(st.characters(codec="utf-8"))


def test_an_event_is_read_from_a_form() -> None:
    event = decode_event(FORM, SAMPLE_FORM)
    assert event.name == "ONVOXIMPLANTCALLEND"
    assert event.member_id == "a223c6b9410f85df78e9377d6c4f7213"
    assert event.application_token == "51610fef"
    assert event.sent_at == 1773239624
    assert event.server_endpoint == "https://oauth.bitrix.info/rest/"
    assert event.data == {
        "CALL_ID": "externalCall.7b0c.1773239327",
        "PHONE_NUMBER": "+19061234567",
        "CALL_FAILED_REASON": "Call canceled",
        "COST_CURRENCY": "",
    }


def test_tokens_of_ordinary_events_are_dropped() -> None:
    event = decode_event(FORM, SAMPLE_FORM)
    assert event.install is None
    assert "s7p6eclr" not in str([getattr(event, name) for name in event.__struct_fields__])


@pytest.mark.parametrize("name", ["ONAPPINSTALL", "onappupdate"])
def test_tokens_of_an_installation_are_kept_and_never_shown(name: str) -> None:
    event = decode_event(
        FORM,
        f"event={name}&auth[access_token]=acc%2D1&auth[refresh_token]=ref1&auth[expires_in]=1800".encode(),
    )
    assert event.install is not None
    assert event.install.access_token == "acc-1"
    assert event.install.refresh_token == "ref1"
    assert event.install.expires_in == 1800
    assert "acc-1" not in repr(event)
    assert "ref1" not in repr(event.install)


def test_a_name_is_cut() -> None:
    assert decode_event(FORM, b"event=" + b"x" * 60_000).name == "X" * 64


def test_json_says_the_same_as_a_form() -> None:
    document = {
        "event": "ONVOXIMPLANTCALLEND",
        "event_handler_id": 1061,
        "data": {
            "CALL_ID": "externalCall.7b0c.1773239327",
            "PHONE_NUMBER": "+19061234567",
            "CALL_FAILED_REASON": "Call canceled",
            "COST_CURRENCY": "",
        },
        "ts": 1773239624,
        "auth": {
            "member_id": "a223c6b9410f85df78e9377d6c4f7213",
            "application_token": "51610fef",
            "access_token": "s7p6eclr",
            "server_endpoint": "https://oauth.bitrix.info/rest/",
        },
    }
    body = json.dumps(document).encode()
    by_form = decode_event(FORM, SAMPLE_FORM)
    for content_type, sent in (("application/json; charset=utf-8", body), (FORM, b"\xef\xbb\xbf " + body)):
        by_json = decode_event(content_type, sent)
        assert by_json.data == by_form.data
        assert replace(by_json, raw={}, is_escaped=True) == replace(by_form, raw={})


def test_numbers_of_json_stay_the_text_that_came_and_nesting_stays() -> None:
    body = (
        b'{"event": "X", "data": {"a": true, "b": false, "c": null, "d": 1.10,'
        b' "e": 123456789012345678901234567890,'
        b' "f": {"g": ["h", {"i": 1}]}, "j": [], "k": "\\ud800",'
        b' "l": "\\ud83d\\ude00", "m": NaN, "n": 1e999}}'
    )
    assert decode_event("application/json", body).data == {
        "a": True,
        "b": False,
        "c": None,
        "d": "1.10",
        "e": "123456789012345678901234567890",
        "f": {"g": ["h", {"i": "1"}]},
        "j": [],
        "k": "\ud800",
        "l": "😀",
        "m": "NaN",
        "n": "1e999",
    }


def test_one_text_of_the_data_is_as_php_would_send_it() -> None:
    body = b'{"event": "X", "data": {"a": true, "b": 7, "c": "\\ud800", "d": ["x"], "e": null, "f": "%31"}}'
    event = decode_event("application/json", body)
    assert [event.read_text(name) for name in "abcdefg"] == ["1", "7", "\ufffd", "", "", "%31", ""]
    assert decode_event(FORM, b"event=X&data[a]=%31+%32").read_text("a") == "1 2"


def test_nested_keys_of_a_form_stay_flat() -> None:
    assert decode_event(FORM, b"event=X&data[FIELDS][ID]=7").data == {"FIELDS][ID": "7"}


def test_what_an_event_does_not_say_is_empty() -> None:
    event = decode_event(FORM, b"event=ONAPPPAYMENT&ts=soon")
    assert (event.member_id, event.application_token) == ("", "")
    assert (event.data, event.sent_at, event.server_endpoint, event.install) == (None, None, None, None)


@pytest.mark.parametrize("member_id", ["a%00b", "../x", "a" * 65, "%F0%9F%98%80", ""])
def test_an_impossible_member_id_is_none(member_id: str) -> None:
    assert decode_event(FORM, f"event=X&auth[member_id]={member_id}".encode()).member_id == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&&&=",
        b"event=",
        b"data[event]=X",
        b"event[0]=X",
        b"{",
        b"[]",
        b"{}",
        b'{"event": "X", "event": "Y"}',
        b'{"event": "X", "auth": {"member_id": "a", "member_id": "b"}}',
        b'{"event": {"a": "X"}}',
        b'{"a":' * 30_000,
        b'{"event":"X","data":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(NotAnEvent) as refusal:
        decode_event("application/json" if body.startswith(b"[") else FORM, body)
    assert str(refusal.value)


def test_legal_text_stays_as_it_came() -> None:
    text = "\x00 <b>😀</b> \u202eעברית & ="
    body = encode_form({"event": "X", "data": {"t": text}}).encode()
    assert decode_event(FORM, body).data == {"t": text}
    assert decode_event(FORM, "event=X&data[t]=żółw".encode()).data == {"t": "żółw"}


def test_invalid_utf8_is_replaced() -> None:
    data = decode_event(FORM, b"event=X&data[a]=%ff%41&data[b]=\xff&data[c]=%ED%A0%80&data[d]=%zz%4").data
    assert data == {"a": "\ufffdA", "b": "\ufffd", "c": "\ufffd\ufffd\ufffd", "d": "%zz%4"}


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="[]"), max_size=100)


@given(st.dictionaries(NAMES, TEXT, min_size=1))
def test_forms_come_back_as_php_wrote_them(data: dict[str, str]) -> None:
    body = encode_form({"event": "ONX", "data": data, "auth": {"application_token": "t"}}).encode()
    event = decode_event(FORM, body)
    assert event.data == data
    assert event.application_token == "t"


@given(TEXT)
def test_our_decoding_is_that_of_the_standard_library(text: str) -> None:
    for escaped in (text, encode_form({"k": text})[2:]):
        expected = dict(parse_qsl(f"k={escaped}", keep_blank_values=True, separator="\x01", errors="replace"))
        assert unquote_form(escaped) == expected["k"]


@given(st.text("%+0123456789abcdefABCDEFgG é"))
def test_broken_escapes_are_those_of_the_standard_library(text: str) -> None:
    expected = dict(parse_qsl(f"k={text}", keep_blank_values=True, separator="\x01", errors="replace"))
    assert unquote_form(text) == expected["k"]


def assert_can_be_stored(event: Event) -> None:
    for text in (event.name, event.member_id, event.application_token, *map(event.read_text, event.raw)):
        text.encode()


@given(st.binary(), st.sampled_from([FORM, "application/json", ""]))
def test_any_bytes_are_an_event_or_none(body: bytes, content_type: str) -> None:
    for prefix in (b"", b"{", b'{"event":"X","data":', b"event=X&data[a]="):
        try:
            event = decode_event(content_type, prefix + body)
        except NotAnEvent:
            continue
        assert_can_be_stored(event)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.fixed_dictionaries({"event": JSON, "data": JSON, "auth": JSON, "ts": JSON}))
def test_any_json_is_an_event_or_none(document: object) -> None:
    try:
        event = decode_event("application/json", json.dumps(document).encode())
    except NotAnEvent:
        return
    assert_can_be_stored(event)


def test_the_last_of_equal_keys_wins() -> None:
    assert decode_form(b"a=1&a=2&b&=c") == {"a": "2", "b": "", "": "c"}


PAGE_QUERY = {"DOMAIN": "portal.bitrix24.com", "PROTOCOL": "1", "LANG": "en", "APP_SID": "926d"}
PAGE_BODY = (
    b"AUTH_ID=4991e86600715db20058f18a&AUTH_EXPIRES=3600&REFRESH_ID=39101067&member_id="
    b"010B6886ebc205e43ae65000ee00addb&status=L&PLACEMENT=DEFAULT&PLACEMENT_OPTIONS=%7B%22any%22%3A%2228%5C%2F%22%7D"
)


def test_a_page_is_read() -> None:
    page = decode_page(PAGE_QUERY, PAGE_BODY)
    assert page.member_id == "010b6886ebc205e43ae65000ee00addb"
    assert page.auth_id == "4991e86600715db20058f18a"
    assert (page.auth_expires_in, page.refresh_id, page.status) == (3600, "39101067", "L")
    assert (page.domain, page.protocol, page.lang, page.app_sid) == ("portal.bitrix24.com", "1", "en", "926d")
    assert (page.placement, page.placement_options) == ("DEFAULT", '{"any":"28\\/"}')
    assert (page.server_endpoint, page.application_token) == (None, None)
    assert "4991e866" not in repr(page)


def test_newer_portals_send_more() -> None:
    more = b"&SERVER_ENDPOINT=https%3A%2F%2Foauth.bitrix.info%2Frest%2F&APPLICATION_TOKEN=ec1b"
    page = decode_page(PAGE_QUERY, PAGE_BODY + more)
    assert page.server_endpoint == "https://oauth.bitrix.info/rest/"
    assert page.application_token == "ec1b"


@pytest.mark.parametrize(
    "change",
    [
        b"&member_id=abc",
        b"&member_id=010b6886ebc205e43ae65000ee00addg",
        b"&member_id=010b6886ebc205e43ae65000ee00addb%0A",
        b"&AUTH_ID=short",
        b"&AUTH_ID=has%20spaces%20in%20it",
        b"&AUTH_ID=" + b"a" * 513,
        b"&AUTH_ID=",
    ],
)
def test_malformed_ids_open_no_page(change: bytes) -> None:
    with pytest.raises(MalformedPage):
        decode_page(PAGE_QUERY, PAGE_BODY + change)


@given(st.binary(), st.dictionaries(st.text(), st.text()))
def test_any_bytes_are_a_page_or_malformed(body: bytes, query: dict[str, str]) -> None:
    with pytest.raises(MalformedPage):
        decode_page(query, body)
    page = decode_page(query | {"DOMAIN": "\ud800"}, body + b"&" + PAGE_BODY)
    assert page.domain == "\ufffd"


SAMPLES = Path(__file__).parents[4] / "shared" / "samples"


@pytest.mark.skipif(not SAMPLES.exists(), reason="the wire samples are kept beside the repository")
def test_the_captured_samples_are_read() -> None:
    for name in ("onappinstall.form", "onappuninstall.form", "onvoximplantcallend-nouser.form"):
        event = decode_event(FORM, (SAMPLES / name).read_bytes())
        assert event.name == name.split("-")[0].removesuffix(".form").upper()
        assert (event.install is not None) == (event.name == "ONAPPINSTALL")
    event = decode_event("application/json", (SAMPLES / "onvoximplantcallend-user.json").read_bytes())
    assert event.install is None
