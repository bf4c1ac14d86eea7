import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kit.messages.logging import configure_logging
from app.kit.messages.redaction import redact, redact_text

TOKENS = st.text("0123456789abcdef", min_size=32, max_size=70)
NUMBERS = st.from_regex(r"\+?[1-9][0-9]{8,13}", fullmatch=True)
NAMES = st.sampled_from(
    [
        *("auth", "AUTH_ID", "REFRESH_ID", "access_token", "refresh_token", "client_secret", "Authorization"),
        *("application_token", "APPLICATION_TOKEN", "auth[access_token]", "auth%5Bapplication_token%5D"),
    ]
)
SECRETS = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{7,30}", fullmatch=True)
FORMS = st.sampled_from(["{}={}", "{}: {}", '"{}": "{}"', "'{}': '{}'", "?{}={}&x=1", '{{"{}":"{}"}}'])
AROUND = st.sampled_from(
    ["{}", "call from {}", "{}.", "({})", "phone:{}", "number={}", '"{}"', "a,{},b", "{};"]
)


@given(TOKENS, AROUND)
def test_what_looks_like_a_token_is_blotted_out_wherever_it_stands(token: str, around: str) -> None:
    assert token not in redact_text(around.format(token))


@given(NAMES, SECRETS, FORMS)
def test_what_bears_the_name_of_a_secret_is_blotted_out_in_every_notation(
    name: str, value: str, form: str
) -> None:
    assert f"={value}" not in (text := redact_text(form.format(name, f"s3cret{value}")))
    assert f"s3cret{value}" not in text


@given(NUMBERS, AROUND)
def test_phone_numbers_are_blotted_out(number: str, around: str) -> None:
    assert number.removeprefix("+") not in redact_text(around.format(number))


@pytest.mark.parametrize("number", ["+1 415 555 0142", "+49 (30) 23125-012", "8-800-555-01-23"])
def test_numbers_as_people_write_them_are_blotted_out(number: str) -> None:
    assert number not in redact_text(f"call from {number} ended")


@pytest.mark.parametrize(
    "text",
    [
        "the portal must be reconnected: an administrator opens Callbook there",
        "http://127.0.0.1:54321/rest/profile",
        "2026-11-23T10:00:00Z",
        "File app/portals/tokens/refresh.py, line 104, in _look_who_was_faster_than_this_one",
        "b24-a1b2c3.bitrix24.com",
        "Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)",
    ],
)
def test_what_helps_and_tells_nothing_stays(text: str) -> None:
    assert redact_text(text) == text


def test_values_deep_inside_are_reached() -> None:
    event = redact(
        None,
        "info",
        {
            "event": "x",
            "data": {"PHONE_NUMBER": "+14155550142", "list": ["auth=abcdefgh", ("+14155550142",)]},
            "body": b"auth[access_token]=abcdefgh",
            "error": ValueError("refresh_token=abcdefgh"),
            "auth_id": "short",
            "member_id": "a" * 32,
            "portal_id": 7,
        },
    )
    shown = json.dumps(event)
    for secret in ("4155550142", "abcdefgh", "short"):
        assert secret not in shown
    assert (event["member_id"], event["portal_id"]) == ("a" * 32, 7)


@pytest.fixture
def restored() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def fail(message: str) -> None:
    raise RuntimeError(message)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_logger_and_no_traceback_lets_a_secret_through(
    restored: None, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure_logging(log_format, "info")
    token, number = "0a1b2c3d" * 8, "+14155550142"
    structured, plain = structlog.get_logger("ours"), logging.getLogger("theirs")
    structured.info(f"auth={token}", url=f"https://x/?auth={token}", phone=number, note=f"from {number}.")
    plain.warning("POST %s %s", f"AUTH_ID={token}", number)
    try:
        fail(f"refresh_token={token} {number}")
    except RuntimeError as error:
        structured.error("failed", exc_info=error)
        plain.exception("failed")
    shown = capsys.readouterr().out
    assert shown.count("RuntimeError") >= 2
    assert token not in shown
    assert number[1:] not in shown


def test_json_is_one_object_a_line(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "info")
    structlog.get_logger("ours").info("one", portal_id=1)
    logging.getLogger("theirs").error("two\nlines")
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == [
        "one",
        "two\nlines",
    ]


HOSTILE = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["\x1b[2J\x1b]0;owned\x07", "a\nb", "\x7f", "\x9b31m", "\u202egnp.exe", "\u2028", "\ud800", "\u2066"]
)


class Odd:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_control_character_of_a_name_or_a_value_reaches_the_log_raw(
    restored: None, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure_logging(log_format, "info")

    @settings(deadline=None, max_examples=100)
    @given(HOSTILE)
    def check(text: str) -> None:
        structlog.get_logger("ours").info(
            text, value=text, deep={"k": [text]}, odd=Odd(text), **{f"k{text}": text}
        )
        logging.getLogger("theirs").warning("said %s", text)
        shown = capsys.readouterr().out
        assert all(character.isprintable() for line in shown.rstrip("\n").split("\n") for character in line)
        assert len(shown.rstrip("\n").split("\n")) == 2

    check()


def test_a_trace_keeps_its_lines_and_none_of_them_begins_like_a_line_of_ours(
    restored: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("console", "info")
    try:
        fail("\x1b[2J\n2026-11-30T00:00:00Z [info     ] installed")
    except RuntimeError:
        logging.getLogger("theirs").exception("failed")
    first, *others = capsys.readouterr().out.rstrip("\n").split("\n")
    assert "failed" in first
    assert len(others) > 3
    assert not any(line.startswith("2026") for line in others)
    assert all(line.isprintable() for line in others)
