import pytest

from app.kit.byte_ranges import (
    AskedRange,
    Span,
    UnsatisfiableError,
    parse_content_range,
    parse_range,
    parse_unsatisfied,
)


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("bytes=0-1", AskedRange(0, 1)),
        ("bytes=5-", AskedRange(5, None)),
        ("bytes=-5", AskedRange(None, 5)),
        ("Bytes= 2 - 3 ", AskedRange(2, 3)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=3-2", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=١-٢", None),
        (f"bytes=0-{10**30}", None),
    ],
)
def test_one_range_is_understood_and_everything_else_asks_for_the_whole(
    header: str | None, asked: AskedRange | None
) -> None:
    assert parse_range(header) == asked


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-1", Span(0, 1, 10)),
        ("bytes=0-", Span(0, 9, 10)),
        ("bytes=4-99", Span(4, 9, 10)),
        ("bytes=9-9", Span(9, 9, 10)),
        ("bytes=-3", Span(7, 9, 10)),
        ("bytes=-99", Span(0, 9, 10)),
    ],
)
def test_a_range_is_cut_to_what_there_is(header: str, span: Span) -> None:
    asked = parse_range(header)
    assert asked is not None
    assert asked.resolve(10) == span
    assert parse_content_range(span.header) == span
    assert parse_range(asked.header) == asked


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0"])
def test_a_range_beyond_the_end_is_unsatisfiable(header: str) -> None:
    asked = parse_range(header)
    assert asked is not None
    with pytest.raises(UnsatisfiableError):
        asked.resolve(10)


@pytest.mark.parametrize(
    "header", [None, "", "bytes 0-1/*", "bytes 3-2/10", "bytes 0-10/10", "bytes */10", "0-1/10"]
)
def test_what_a_part_says_of_itself_is_believed_only_when_it_can_be(header: str | None) -> None:
    assert parse_content_range(header) is None


def test_an_unsatisfied_range_tells_the_length() -> None:
    assert parse_unsatisfied("bytes */10") == 10
    assert parse_unsatisfied("bytes 0-1/10") is None
    assert parse_unsatisfied(None) is None
