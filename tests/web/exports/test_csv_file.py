"""Cells of a CSV: no text becomes a formula, no number is spoilt, and every text can be read back."""

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from time import process_time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.calls.log.logged_calls import LoggedCall
from app.kit.messages.words import load_words
from app.web.exports.cells import Cell, Duration, Moment, Phone
from app.web.exports.csv_file import CsvLines, make_harmless, write_csv, write_phone
from app.web.exports.file_columns import Addressee, Known, Sheet, make_columns
from tests.web.logged_calls import logged

SIGNS = tuple("=+-@＝＋－＠")
HOSTILE = st.text(alphabet=[*SIGNS, "\t", "\r", "\n", " ", '"', "'", ",", ";", "|", "\u200b", "1", "A", "("])
PHONES = st.from_regex(r"\A\+?[0-9 ()-]{1,20}\Z")


def starts_formula(text: str) -> bool:
    """Whether a spreadsheet program may take the text for a formula, after dropping the invisible
    characters.
    """
    bare = re.sub(r"^[\s\x00-\x20\u200b\ufeff\"]+", "", text)
    return bare.startswith(SIGNS) or text[:1] in {"\t", "\r", "\n"}


def find_cells(text: str) -> list[str]:
    """The cells of a text for a program that cuts at any of these characters."""
    return re.split(r"[,;|\t\r\n]", text)


@given(HOSTILE)
@example("a,\t=1")
@example("a\t\t=1")
@example("a ;; +1")
def test_no_cell_within_a_text_begins_a_formula(text: str) -> None:
    assert not any(
        re.match(r"[\s\u200b\"]*[=+\-@＝＋－＠]", cell) for cell in find_cells(make_harmless(text))
    )


@pytest.mark.parametrize("text", ["\t" * 60_000, "\t" * 60_000 + "=", "\r\n" * 30_000 + "a=", "=" * 60_000])
def test_a_long_hostile_text_costs_no_more_than_its_length(text: str) -> None:
    started = process_time()
    harmless = make_harmless(text)
    assert harmless[0] == "'"
    # It takes some milliseconds; it took a minute while each tab read all the others.
    assert process_time() - started < 5


@given(HOSTILE | st.text())
@example("=1+1")
@example("\t=1+1")
@example('=HYPERLINK("http://x","y")')
@example(" \u200b＝1")
def test_no_text_begins_a_formula_and_every_text_can_be_read_back(text: str) -> None:
    harmless = make_harmless(text)
    assert not starts_formula(harmless)
    assert harmless.replace("'", "") == text.replace("'", "")


@given(HOSTILE)
def test_no_separator_that_a_program_guesses_sets_a_formula_free(text: str) -> None:
    for part in re.split(r"[,;|\t\r\n]", make_harmless(text)):
        assert not re.sub(r"^[\s\x00-\x20\u200b\"']+", "", part).startswith(SIGNS) or "'" in part


@given(HOSTILE | PHONES | st.text())
def test_no_number_begins_a_formula_that_calculates(text: str) -> None:
    shown = write_phone(text)
    is_plain = re.fullmatch(r"\+?[0-9]+|\+[0-9]+ [0-9][0-9 ()-]*", shown) is not None
    assert is_plain or not starts_formula(shown)


@given(st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"))
def test_an_international_number_keeps_its_plus_and_its_digits(number: str) -> None:
    shown = write_phone(number)
    assert re.sub(r"[^0-9+]", "", shown) == number
    assert "'" not in shown


@pytest.mark.parametrize(
    ("came", "shown"),
    [
        ("+12025550123", "+1 202-555-0123"),
        ("+493012345678", "+49 30 12345678"),
        ("101", "101"),
        ("hidden", "hidden"),
        ("reg133788", "reg133788"),
        ("+1-2", "'+1-2"),
        ("+1 -2", "'+1 -2"),
        ("-12", "'-12"),
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+1 202\t=1", "'+1 202\t'=1"),
    ],
)
def test_numbers_are_written_as_the_log_shows_them(came: str, shown: str) -> None:
    assert write_phone(came) == shown


CELLS = st.lists(
    st.one_of(
        st.none(),
        HOSTILE,
        st.text(st.characters(exclude_categories=["Cs"])),
        HOSTILE.map(Phone),
        st.integers(-(2**40), 2**40).map(Duration),
        st.decimals(-(10**12), 10**12, places=4),
        st.datetimes().map(Moment),
    ),
    min_size=2,
    max_size=6,
)


@given(st.lists(CELLS, max_size=5), st.sampled_from(["en", "de"]))
def test_a_program_reads_the_cells_that_were_written(lines: list[list[Cell]], locale: str) -> None:
    writer = CsvLines(locale)
    for cells in lines:
        writer.add(cells)
    text = writer.take().decode()
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if locale == "de" else ","))
    assert [len(line) for line in found] == [len(line) for line in lines]
    for cells, line in zip(lines, found, strict=True):
        for cell, shown in zip(cells, line, strict=True):
            if isinstance(cell, str):
                assert shown == make_harmless(cell)
            elif isinstance(cell, Phone):
                assert shown == write_phone(cell.text)
            elif isinstance(cell, Decimal):
                assert Decimal(shown.replace(",", ".")) == cell


async def write(calls: list[LoggedCall], locale: str) -> bytes:
    async def batches() -> AsyncIterator[list[LoggedCall]]:
        yield calls

    addressee = Addressee(load_words("en"), UTC, Known({7: "=Ann"}, {}, {}), {"reg1": "@Sales"})
    sheet = Sheet(make_columns(addressee), locale)
    return b"".join([piece.content async for piece in write_csv(batches(), sheet)])


async def test_a_file_has_its_mark_heads_and_line_ends() -> None:
    call = logged(
        call_id="c.1",
        user_id=7,
        portal_number="reg1",
        duration_s=3725,
        cost_e4=2500,
        currency="EUR",
        crm_entity_type="CONTACT",
        crm_entity_id=12,
        has_recording=True,
        vote=5,
        comment="-x",
        started_at=int(datetime(2026, 11, 27, 9, 15, tzinfo=UTC).timestamp()),
    )
    content = await write([call], "en")
    heads, line, rest = content.split(b"\r\n")
    assert rest == b""
    assert heads.decode().startswith("\ufeffTime (UTC),Direction,Outcome,Number,Employee,Line,Duration,Cost,")
    assert line.decode() == (
        "2026-11-27 09:15:00,Incoming,Answered,+1 415-555-0142,'=Ann,'@Sales,1:02:05,0.25,EUR,200,,"
        "Contact 12,Yes,No,,5,'-x,,,c.1"
    )


async def test_a_language_with_decimal_commas_gets_semicolons() -> None:
    content = await write([logged(cost_e4=12_500)], "de")
    assert b";1,25;" in content
    assert b"Time (UTC);Direction;" in content


async def test_an_empty_list_is_a_file_with_its_heads() -> None:
    assert (await write([], "en")).count(b"\r\n") == 1
