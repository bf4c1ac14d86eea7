"""Before a token is proven, any body costs memory and time in proportion to its bytes."""

import contextlib
import json
import time
import tracemalloc
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bitrix24.incoming.payloads import MalformedPage, NotAnEvent, decode_event, decode_page
from app.bitrix24.text import encode_form
from tests.load import Sender

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
KIB = 1_024
LARGEST = 64 * KIB
# The most times as long for each byte of a large body as of a small one; a quadratic cost has eight.
MOST_GROWTH = 3


def read_event(content_type: str, body: bytes) -> None:
    """Do all work on an event, also that after the proof."""
    with contextlib.suppress(NotAnEvent):
        _ = decode_event(content_type, body).data


def read_page(_: str, body: bytes) -> None:
    with contextlib.suppress(MalformedPage):
        decode_page({}, body)


def assert_memory_is_linear(read: Callable[[str, bytes], None], content_type: str, body: bytes) -> None:
    tracemalloc.start()
    try:
        read(content_type, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 64 * KIB + 20 * len(body), f"{peak / len(body):.1f} bytes for each byte"


def fill(head: bytes, unit: bytes, tail: bytes = b"") -> Callable[[int], bytes]:
    """A body of about this size: the head, as many units as fit, the tail."""
    return lambda size: head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def nest(opening: bytes, closing: bytes) -> Callable[[int], bytes]:
    def make(size: int) -> bytes:
        depth = (size - 30) // (len(opening) + len(closing))
        return b'{"event":"X","data":' + opening * depth + b"0" + closing * depth + b"}"

    return make


def name_leaves(size: int) -> bytes:
    """The shape of the attack: half of the body is one name, the other half leaves under it."""
    return json.dumps({"event": "X", "data": {"n" * (size // 2): [0] * (size // 8)}}).encode()


def name_fields(size: int) -> bytes:
    return b"event=X&" + b"&".join(b"data[%d]=\xff" % number for number in range(size // 12))


def name_members(size: int) -> bytes:
    members = ",".join(f'"{number}":""' for number in range(size // 10))
    return b'{"event":"X","data":{' + members.encode() + b"}}"


SHAPES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "long names over leaves": (JSON, name_leaves),
    "members": (JSON, name_members),
    "arrays that do not end": (JSON, fill(b"", b"[")),
    "objects that do not end": (JSON, fill(b"", b'{"a":')),
    "arrays in arrays": (JSON, nest(b"[", b"]")),
    "objects in objects": (JSON, nest(b'{"":', b"}")),
    "empty arrays": (JSON, fill(b'{"event":"X","data":[0', b",[]", b"]}")),
    "empty objects": (JSON, fill(b'{"event":"X","data":[0', b",{}", b"]}")),
    "small objects": (JSON, fill(b'{"event":"X","data":[0', b',{"":0}', b"]}")),
    "numbers": (JSON, fill(b'{"event":"X","data":[0', b",10", b"]}")),
    "a huge number": (JSON, fill(b'{"ts":1', b"0", b',"event":"X"}')),
    "texts": (JSON, fill(b'{"event":"X","data":[0', b',"\xe2\x82\xac"', b"]}")),
    "lone surrogates": (JSON, fill(b'{"event":"', b"\\ud800", b'"}')),
    "an escaped text": (JSON, fill(b'{"event":"', b"\\u0041\\n", b'"}')),
    "one wide character": (JSON, fill(b'{"event":"\xf0\x9f\x93\x9e', b"a", b'"}')),
    "open texts": (JSON, fill(b'{"event":"', b'\\"')),
    "white space": (JSON, fill(b"{", b" ")),
    "separators": (FORM, fill(b"event=X", b"&")),
    "short fields": (FORM, fill(b"event=X", b"&ab")),
    "fields of invalid bytes": (FORM, fill(b"event=X", b"&\xff")),
    "different fields": (FORM, name_fields),
    "escapes": (FORM, fill(b"event=X&data[a]=", b"%41")),
    "escapes of invalid bytes": (FORM, fill(b"event=X&data[a]=", b"%ff")),
    "escapes among letters": (FORM, fill(b"event=X&data[a]=", b"%41x")),
    "escapes among invalid bytes": (FORM, fill(b"event=X&data[a]=", b"\xff%c3")),
    "broken escapes": (FORM, fill(b"event=X&data[a]=", b"%4")),
    "an escaped key": (FORM, fill(b"event=X&data", b"%5B")),
    "an escaped token": (FORM, fill(b"event=X&auth[application_token]=", b"%41x")),
    "one wide character in a form": (FORM, fill(b"event=X&data[a]=\xf0\x9f\x93\x9e", b"+")),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1 * KIB, 2 * KIB, 4 * KIB, LARGEST])
def test_hand_made_bodies_take_linear_memory(shape: str, size: int) -> None:
    content_type, make = SHAPES[shape]
    body = make(size)
    assert_memory_is_linear(read_event, content_type, body)
    assert_memory_is_linear(read_page, FORM, body)


@pytest.mark.parametrize("shape", SHAPES)
def test_hand_made_bodies_take_linear_time(shape: str) -> None:
    content_type, make = SHAPES[shape]
    _, request = next(Sender("a" * 32, "b" * 32, "c" * 32).make_requests())
    usual = request.partition(b"\r\n\r\n")[2]
    for read in (read_event, read_page):
        small_s = max(measure(read, content_type, make(LARGEST // 8)), measure(read, FORM, usual))
        assert measure(read, content_type, make(LARGEST)) <= 8 * MOST_GROWTH * small_s


def measure(read: Callable[[str, bytes], None], content_type: str, body: bytes) -> float:
    """Processor seconds, the least of seven."""
    times = []
    for _ in range(7):
        begun = time.thread_time()
        read(content_type, body)
        times.append(time.thread_time() - begun)
    return min(times)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=200), inner),
    max_leaves=60,
)
NAMES = st.text() | st.sampled_from(["event", "ts", "data[CALL_ID]", "auth[member_id]", "data[a][b]"])
PIECES = st.text(max_size=40) | st.sampled_from(["%", "%41", "%ff", "&", "=", "+", "\U0001f4de", "%C3"])


@settings(deadline=None, max_examples=50)
@given(ANY_JSON, st.booleans(), st.integers(1, 40))
def test_any_json_takes_linear_memory(document: object, is_ascii: bool, times: int) -> None:  # noqa: FBT001
    told = {"event": "X", "data": {"all": [document] * times}, "auth": document}
    body = json.dumps(told, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    assert_memory_is_linear(read_event, JSON, body)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(NAMES, st.lists(PIECES, max_size=20))), st.booleans(), st.integers(1, 40))
def test_any_form_takes_linear_memory(
    fields: list[tuple[str, list[str]]],
    is_escaped: bool,  # noqa: FBT001  Hypothesis draws it.
    times: int,
) -> None:
    pairs = [(name, "".join(pieces) * times) for name, pieces in fields]
    body = "&".join(f"{name}={quote(value) if is_escaped else value}" for name, value in pairs)
    for read in (read_event, read_page):
        assert_memory_is_linear(read, FORM, ("event=X&" + body).encode("utf-8", "surrogatepass"))


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=2_000), st.sampled_from([FORM, JSON]), st.integers(1, 32))
def test_any_bytes_take_linear_memory(body: bytes, content_type: str, times: int) -> None:
    for prefix in (b"", b'{"event":"X","data":[', b"event=X&data[a]="):
        assert_memory_is_linear(read_event, content_type, prefix + body * times)


def test_what_the_documentation_names_has_room_many_times_over() -> None:
    data = {f"UF_{number}": "text, with commas" for number in range(200)}
    assert decode_event(FORM, encode_form({"event": "X", "data": data}).encode()).data == data
    assert decode_event(JSON, json.dumps({"event": "X", "data": data}).encode()).data == data
