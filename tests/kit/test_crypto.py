import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.crypto import CannotDecryptError, Keyring, KeyringError, generate_key, keyed_hash

OLD, NEW = generate_key("old"), generate_key("new")
RING = Keyring.parse(OLD)
RAW = bytes(range(224, 256))  # Its base64 has characters that differ in the two alphabets.


@given(st.binary(max_size=300), st.text(max_size=50))
def test_what_was_sealed_opens_in_its_place_and_never_reads_the_same_twice(secret: bytes, place: str) -> None:
    sealed = RING.seal(secret, place)
    assert RING.open(sealed, place) == secret
    assert RING.seal(secret, place) != sealed


@pytest.mark.parametrize(
    "place", ["portals:2:access_token", "portals:1:refresh_token", "facts:1:access_token", ""]
)
def test_a_value_copied_to_another_row_column_or_table_does_not_open(place: str) -> None:
    sealed = RING.seal(b"secret", "portals:1:access_token")
    with pytest.raises(CannotDecryptError):
        RING.open(sealed, place)


def test_another_key_does_not_open_under_any_id() -> None:
    sealed = RING.seal(b"secret", "here")
    for other in (NEW, generate_key("old")):
        with pytest.raises(CannotDecryptError):
            Keyring.parse(other).open(sealed, "here")


@given(st.data())
def test_one_changed_character_is_noticed(data: st.DataObject) -> None:
    sealed = RING.seal(b"secret", "here")
    key_id, _, body = sealed.partition(".")
    raw = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CannotDecryptError):
        RING.open(f"{key_id}.{base64.urlsafe_b64encode(raw).decode()}", "here")


@given(st.text(max_size=80))
def test_garbage_is_refused_in_one_way_only(garbage: str) -> None:
    for sealed in (garbage, f"old.{garbage}"):
        with pytest.raises(CannotDecryptError):
            RING.open(sealed, "here")


@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(RAW).decode(),
        base64.urlsafe_b64encode(RAW).decode(),
        base64.b64encode(RAW).decode().rstrip("="),
        base64.urlsafe_b64encode(RAW).decode().rstrip("="),
    ],
)
def test_both_base64_alphabets_with_and_without_padding_are_read(encoded: str) -> None:
    assert Keyring.parse(f"k1:{encoded}").keys == {"k1": RAW}


def test_the_first_key_seals_and_all_open() -> None:
    ring = Keyring.parse(f"{NEW},{OLD}")
    assert ring.current_key_id == "new"
    assert ring.seal(b"x", "here").startswith("new.")
    assert ring.open(RING.seal(b"x", "here"), "here") == b"x"
    assert not ring.is_current(RING.seal(b"x", "here"))


@pytest.mark.parametrize("between", ["\n", "\r\n", ",\n", " , "])
def test_a_file_holds_keys_one_a_line_or_as_the_variable_does(tmp_path: Path, between: str) -> None:
    file = tmp_path / "keys"
    file.write_bytes(f"{NEW}{between}{OLD}\n".encode())
    assert Keyring.parse(f"@{file}").keys == Keyring.parse(f"{NEW},{OLD}").keys


KEY = base64.b64encode(bytes(range(32))).decode()  # Always the same, because the names of tests contain it.
BARE = "Ab3" * 14 + "A"  # 43 letters and digits: a key whose base64 could be taken for an id.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        (",,", "holds no key"),
        (KEY, "not of the form id:base64"),
        (f":{KEY}", "not of the form"),
        (f"a.b:{KEY}", "not of the form"),
        (f"k1:{KEY[:-4]}", "bytes, not 32"),
        (f"k1:{KEY}{KEY}", "key 1"),
        (f"k1:{KEY[:-2]}!!", "not base64"),
        (f"k1:{KEY[:-2]}é=", "not base64"),
        (f"{BARE}:k1", "not of the form"),
        (f"k1:{KEY},k1:{KEY}", "used twice"),
        (f"k1:{KEY},{KEY}", "key 2"),
        ("@/no/such/file", "cannot be read: No such file"),
        ("@/", "cannot be read"),
    ],
)
def test_a_malformed_variable_is_named_in_one_line_without_any_key(text: str, said: str) -> None:
    with pytest.raises(KeyringError) as raised:
        Keyring.parse(text)
    message = str(raised.value)
    assert said in message
    assert "\n" not in message
    for secret in (KEY, KEY[:12], BARE[:12]):
        assert secret not in message


def test_a_key_file_that_is_no_text_is_refused_alike(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"k1:\xff\xfe\x00" + os.urandom(32))
    with pytest.raises(KeyringError, match="cannot be read"):
        Keyring.parse(f"@{file}")


@given(st.text(max_size=100))
def test_no_text_at_all_breaks_the_parser(text: str) -> None:
    if not text.startswith("@"):
        with pytest.raises(KeyringError):
            Keyring.parse(text)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_keyed_hash_tells_texts_and_keys_apart(one: str, other: str) -> None:
    key, second = b"k" * 32, b"l" * 32
    assert keyed_hash(key, one) == keyed_hash(key, one)
    assert keyed_hash(key, one) != keyed_hash(second, one)
    if one != other:
        assert keyed_hash(key, one) != keyed_hash(key, other)
