"""Cells of an XLSX: real dates, lengths and amounts, and texts that stay texts."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.calls.log.logged_calls import LoggedCall
from app.kit.messages.words import load_words
from app.web.exports import xlsx_file
from app.web.exports.file_columns import Addressee, Known, Sheet, make_columns
from app.web.exports.xlsx_file import TooManyRows, XlsxLines, write_xlsx
from tests.web.exports.workbooks import read_sheet
from tests.web.logged_calls import logged

AT = datetime(2026, 11, 27, 9, 15, tzinfo=UTC)


def make_sheet(locale: str = "en") -> Sheet:
    addressee = Addressee(load_words(locale), UTC, Known({7: "=Ann"}, {}, {}), {"reg1": "@Sales"})
    return Sheet(make_columns(addressee), locale)


def write(calls: list[LoggedCall]) -> bytes:
    file = io.BytesIO()
    lines = XlsxLines(file, make_sheet())
    lines.add(calls)
    lines.close()
    return file.getvalue()


def as_xml(text: str) -> str:
    """A text as a reader of XML gets it: each line end is one character, and forbidden characters are
    replaced.
    """
    return (
        text.translate({0: "\u2400", 0xFFFE: "\ufffd", 0xFFFF: "\ufffd"})
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )


def test_dates_lengths_and_amounts_are_numbers_with_formats() -> None:
    call = logged(started_at=int(AT.timestamp()), duration_s=3725, cost_e4=2500, user_id=7)
    heads, line = read_sheet(write([call]))
    assert [heads[column].text for column in "ADG"] == ["Time (UTC)", "Number", "Duration"]
    assert line["A"].kind == line["G"].kind == line["H"].kind == "n"
    assert float(line["A"].text) == pytest.approx(46353 + (9 * 60 + 15) / 1440)
    assert float(line["G"].text) * 86_400 == pytest.approx(3725)
    assert float(line["H"].text) == 0.25
    assert len({line[column].style for column in "AGH"}) == 3


def test_a_number_stays_the_text_that_came() -> None:
    _, line = read_sheet(write([logged(phone_number="+12025550123", portal_number="007")]))
    assert (line["D"].kind, line["D"].text) == ("inlineStr", "+12025550123")
    assert (line["F"].kind, line["F"].text) == ("inlineStr", "007")


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5))
def test_every_text_is_a_text_and_comes_back(texts: list[str]) -> None:
    hostile = [*texts, "=1+1", "@SUM(A1)", "-2+3", "\t=1", "http://example.com", "a\x01b", "_x0041_"]
    lines = read_sheet(write([logged(reason=text or "-", phone_number=text or "-") for text in hostile]))
    for text, line in zip(hostile, lines[1:], strict=True):
        shown = (
            (text or "-").replace("\x00", "\u2400").replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
        )
        for column in ("D", "K"):
            assert line[column].kind == "inlineStr"
            assert not line[column].is_formula
            assert line[column].text.replace("\r\n", "\n").replace("\r", "\n") == shown.replace(
                "\r\n", "\n"
            ).replace("\r", "\n")


def test_what_a_spreadsheet_cannot_hold_is_a_text() -> None:
    _, line = read_sheet(write([logged(started_at=-3_000_000_000, duration_s=-5, cost_e4=2**62)]))
    assert (line["A"].text, line["G"].text) == ("1874-12-07 18:40:00", "-0:00:05")
    assert line["H"].text == "461168601842738.7904"


async def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MAX_ROWS", 2)

    async def batches() -> AsyncIterator[list[LoggedCall]]:
        yield [logged()] * 3

    with pytest.raises(TooManyRows):
        [piece async for piece in write_xlsx(batches(), make_sheet())]


async def test_an_export_has_no_file_with_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that is given up midway ends silently, and leaves nothing behind."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reached, never = asyncio.Event(), asyncio.Event()
    seen: list[Path] = []

    async def batches() -> AsyncIterator[list[LoggedCall]]:
        yield [logged()] * 300
        seen.extend(tmp_path.iterdir())
        reached.set()
        await never.wait()

    async def export() -> None:
        async for _ in write_xlsx(batches(), make_sheet()):
            pass

    running = asyncio.create_task(export())
    await reached.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert seen == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bound", ["MAX_BYTES", "MAX_FILE_BYTES"])
async def test_a_sheet_that_outgrows_a_plain_zip_or_the_disk_is_refused(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(xlsx_file, bound, 2_000)

    async def batches() -> AsyncIterator[list[LoggedCall]]:
        for _ in range(200):
            yield [logged()] * 30

    with pytest.raises(TooManyRows):
        [piece async for piece in write_xlsx(batches(), make_sheet())]
