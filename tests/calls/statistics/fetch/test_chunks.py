"""The number of statistics rows that one transaction writes."""

from hypothesis import given
from hypothesis import strategies as st

from app.bitrix24.incoming.statistics import StatisticsRecord, decode_statistics_row
from app.calls.statistics.fetch.batch_reader import CHUNK_CHARACTERS, split_into_chunks

MOST_ROWS = 50


def make_record(number: int, comment: str) -> StatisticsRecord:
    return decode_statistics_row({"ID": str(number), "CALL_ID": f"call.{number}", "COMMENT": comment})


@given(st.lists(st.sampled_from([0, 1, 8_000, CHUNK_CHARACTERS, CHUNK_CHARACTERS + 1]), max_size=130))
def test_every_row_is_written_once_and_in_its_order_within_both_bounds(lengths: list[int]) -> None:
    records = [make_record(number, "c" * length) for number, length in enumerate(lengths, 1)]
    chunks = list(split_into_chunks(records, MOST_ROWS))
    assert [record for chunk in chunks for record in chunk] == records
    for chunk in chunks:
        assert 1 <= len(chunk) <= MOST_ROWS
        assert len(chunk) == 1 or sum(len(record.comment or "") for record in chunk) <= CHUNK_CHARACTERS


def test_what_fits_is_written_at_once() -> None:
    records = [make_record(number, "") for number in range(1, 121)]
    assert [len(chunk) for chunk in split_into_chunks(records, MOST_ROWS)] == [50, 50, 20]


def test_each_transaction_counts_its_own_texts_and_reasons_too() -> None:
    texts = [(60_000, 0), (30_000, 30_000), (40_000, 0), (1, 0)]
    records = [
        decode_statistics_row(
            {"ID": str(number), "CALL_ID": "a", "COMMENT": "c" * comment, "CALL_FAILED_REASON": "r" * reason}
        )
        for number, (comment, reason) in enumerate(texts, 1)
    ]
    assert [len(chunk) for chunk in split_into_chunks(records, MOST_ROWS)] == [1, 2, 1]
