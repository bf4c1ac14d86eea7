"""One row of the portal's call statistics. Pure."""

from collections.abc import Mapping

import msgspec

from app.bitrix24.incoming.call_end import (
    CallRecord,
    Undecodable,
    decode_call_end,
    read_integer,
    read_text,
)

# With the row's ID behind it, this is our call id for a row whose own call id cannot be used.
ROW_NAME = "statistics."


class StatisticsRecord(CallRecord, frozen=True, gc=False, kw_only=True):
    """A call, or one leg of it, with the fields that only the statistics have. None is unknown."""

    statistics_id: int
    record_file_id: int | None
    has_recording: bool
    transcript_id: int | None
    has_transcript: bool
    crm_entity_type: str | None
    crm_entity_id: int | None
    vote: int | None
    comment: str | None

    __repr__ = CallRecord.__repr__


def decode_statistics_row(row: Mapping[str, object]) -> StatisticsRecord:
    """Read one row of `voximplant.statistic.get`; raises Undecodable as `decode_call_end` does.

    All values are text or null, except RECORD_FILE_ID, a number.
    Documentation: api-reference/telephony/voximplant/voximplant-statistic-get.md.
    """
    statistics_id = read_integer(row, "ID")
    if statistics_id is None:
        raise Undecodable("ID is missing")
    record_file_id = read_integer(row, "RECORD_FILE_ID") or None
    transcript_id = read_integer(row, "TRANSCRIPT_ID") or None
    return StatisticsRecord(
        **msgspec.structs.asdict(decode_call_end(row)),
        statistics_id=statistics_id,
        record_file_id=record_file_id,
        has_recording=record_file_id is not None or read_text(row, "CALL_RECORD_URL") is not None,
        transcript_id=transcript_id,
        has_transcript=transcript_id is not None,
        crm_entity_type=read_text(row, "CRM_ENTITY_TYPE"),
        crm_entity_id=read_integer(row, "CRM_ENTITY_ID"),
        vote=read_integer(row, "CALL_VOTE"),
        comment=read_text(row, "COMMENT"),
    )


def read_statistics_row(row: Mapping[str, object]) -> tuple[StatisticsRecord, str]:
    """Read a row of which some values may be unreadable: those become None, and their reasons are returned
    too.

    An unreadable CALL_ID is replaced by ROW_NAME and the row's ID. Raises Undecodable only when the ID itself
    cannot be read.
    """
    readable, reasons = dict(row), list[str]()
    while True:
        try:
            return decode_statistics_row(readable), "; ".join(reasons)
        except Undecodable as error:
            if error.key == "ID":
                raise
            reasons.append(error.reason)
            readable[error.key] = f"{ROW_NAME}{read_integer(row, 'ID')}" if error.key == "CALL_ID" else None
