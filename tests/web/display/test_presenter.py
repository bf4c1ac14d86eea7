from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from app.calls.store.outcome import direction_of, outcome_of
from app.kit.messages.languages import LANGUAGES
from app.web.display.presenter import (
    Presenter,
    format_cost,
    format_duration,
    format_number,
    format_share,
    format_talk_time,
    initials_of,
    plain_cost,
    to_iso,
    to_local,
)
from tests.web.logged_calls import logged

YEAR_9999 = 253_402_300_799
YEAR_1 = -62_135_596_800


@pytest.mark.parametrize(
    ("call_type", "code", "outcome"),
    [
        *[(call_type, "200", "answered") for call_type in (1, 2, 3, 4, 5, None)],
        *[(call_type, "304", "missed") for call_type in (2, 3)],
        *[(call_type, "304", "no_answer") for call_type in (1, 4, 5, 9, None)],
        *[(2, "603", "declined"), (2, "603-S", "cancelled"), (1, "486", "busy")],
        *[(1, code, "unreachable") for code in ("480", "484", "503")],
        *[(1, code, "failed") for code in ("403", "404", "402", "423", "OTHER", "603-s", "\x00", " 200")],
        *[(2, code, None) for code in ("", None)],
    ],
)
def test_outcome_by_code(call_type: int | None, code: str | None, outcome: str | None) -> None:
    assert outcome_of(call_type, code) == outcome


def test_direction_by_type() -> None:
    assert [direction_of(call_type) for call_type in (1, 2, 3, 4, 5, 6, 0, None)] == [
        *("out", "in", "in", "callback", "info"),
        *(None, None, None),
    ]


@pytest.mark.parametrize(
    ("came", "shown"),
    [
        ("+14155550142", "+1 415-555-0142"),
        ("+442079460321", "+44 20 7946 0321"),
        *[
            (text, text)
            for text in ("hidden", "104", "14155550142", "+1", "+", "+abc", "+1415555014x", "reg1")
        ],
        *[(text, text) for text in ("+1;ext=5", "+999999999999999999", "مرحبا", "<b>", "+٤٩٣٠", "")],
    ],
)
def test_numbers_are_grouped_only_when_nothing_else_changes(came: str, shown: str) -> None:
    assert format_number(came) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (7, "0:07"), (750, "12:30"), (3723, "1:02:03"), (-5, "-0:05")]
)
def test_durations(seconds: int, shown: str) -> None:
    assert format_duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "locale", "shown"),
    [
        *[(0, "en", "0 sec"), (42, "en", "42 sec"), (3600, "en", "1 hr"), (11_112, "en", "3 hr 5 min")],
        *[(725, "de", "12 Min. 5 Sek."), (360_000, "de", "100 Std."), (3_600_000, "de", "1.000 Std.")],
        *[
            (11_112, "ru", "3 ч 5 мин"),
            (725, "ar", "12 د 5 ث"),
            (725, "ja", "12 分 5 秒"),
            (-5, "en", "0 sec"),
        ],
    ],
)
def test_sums_of_durations_are_told_in_the_language(seconds: int, locale: str, shown: str) -> None:
    assert format_talk_time(seconds, locale) == shown


@pytest.mark.parametrize(
    ("locale", "day", "clock", "cost", "share"),
    [
        ("en", "Nov 16", "3:06\u202fPM", "$0.0145", "87%"),
        ("de", "16. Nov.", "15:06", "0,0145\xa0$", "87\xa0%"),
        ("pt_BR", "16 de nov.", "15:06", "US$\xa00,0145", "87%"),
        ("ru", "16 нояб.", "15:06", "0,0145\xa0$", "87\xa0%"),
        ("tr", "16 Kas", "15:06", "$0,0145", "%87"),
        ("ar", "16 نوفمبر", "3:06 م", "\u200f0.0145\xa0US$", "87%"),
        ("zh_Hans", "11月16日", "15:06", "US$0.0145", "87%"),
        ("ja", "11月16日", "15:06", "$0.0145", "87%"),
    ],
)
def test_dates_money_and_shares_have_the_form_of_the_locale(
    locale: str, day: str, clock: str, cost: str, share: str
) -> None:
    at = 1_795_000_000 - 2 * 86_400 + 4 * 3600  # 2026-11-16T15:06:40Z
    moment = Presenter(zone=UTC, locale=locale, now=1_795_000_000).describe_moment(at)
    assert (moment.date, moment.time) == (day, clock)
    assert format_cost(145, "USD", locale) == cost
    assert format_share(0.873, locale) == share


def test_digits_are_the_same_in_every_language() -> None:
    """Arabic too has the digits of phone numbers, which stand beside them and are dialled."""
    for locale in LANGUAGES:
        moment = Presenter(zone=UTC, locale=locale, now=1_795_000_000).describe_moment(1_600_000_000)
        shown = f"{moment.date}{moment.time}{moment.full_time}{format_cost(123_456_789, 'EUR', locale)}"
        shown += format_talk_time(4321, locale) + format_share(0.5, locale)
        assert {character for character in shown if character.isdigit()} <= set("0123456789")


def test_money() -> None:
    assert [plain_cost(cost) for cost in (0, 2500, 120_000, 145, 1, -2500, 10_000_000)] == [
        *("0", "0.25", "12", "0.0145", "0.0001", "-0.25", "1000"),
    ]
    assert format_cost(2500, "USD", "en") == "$0.25"
    assert format_cost(145, "EUR", "en") == "€0.0145"
    assert format_cost(120_000, "", "en") == "12"
    assert format_cost(120_000, "<i>", "en") == "12 <i>"


@pytest.mark.parametrize("at", [YEAR_1, 0, YEAR_9999, YEAR_1 - 1, YEAR_9999 + 1, -(2**63), 2**63 - 1])
def test_no_year_is_too_far(at: int) -> None:
    assert to_iso(at).endswith("Z")
    for zone in (UTC, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")):
        assert to_local(at, zone).year in {1, 1969, 1970, 9999}
        assert Presenter(zone=zone, locale="en", now=1_795_000_000).present(logged(started_at=at), {}).date


def test_days_are_those_of_the_zone() -> None:
    now = 1_795_000_000  # 2026-11-18T11:06:40Z
    midnight = now - now % 86_400
    utc = Presenter(zone=UTC, locale="en", now=now)
    berlin = Presenter(zone=ZoneInfo("Europe/Berlin"), locale="en", now=now)
    assert utc.present(logged(started_at=midnight), {}).day == "today"
    assert utc.present(logged(started_at=midnight - 1), {}).day == "yesterday"
    assert berlin.present(logged(started_at=midnight - 1), {}).day == "today"
    assert utc.present(logged(started_at=midnight - 86_401), {}).day is None
    assert utc.present(logged(started_at=midnight - 86_401), {}).date == "Nov 16"
    assert "2021" in utc.present(logged(started_at=now - 5 * 31_557_600), {}).date


def test_initials() -> None:
    assert [initials_of(name) for name in ("Clara Winter", "Cher", "", "A de B", "  ", "😀 Bo", "李 雷")] == [
        *("CW", "C", "", "AB", "", "B", "李雷"),
    ]
