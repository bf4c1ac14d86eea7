"""The tables of calls and legs, and Bitrix24's facts, against the one list of a call's fields."""

from types import NoneType, UnionType
from typing import get_args

import msgspec
import pytest
from piccolo.columns import BigInt, Boolean, Column, Integer, Text
from piccolo.table import Table

from app.bitrix24.incoming.statistics import StatisticsRecord
from app.calls.store.call_queries import LEG_TYPES
from app.calls.store.legs import CALL_FIELDS, TEXT_FIELDS, CallFields, Leg, leg_of_statistics
from app.calls.tables import CallLegTable, CallTable

KINDS: dict[type, tuple[type[Column], ...]] = {int: (Integer, BigInt), str: (Text,), bool: (Boolean,)}
OF_A_ROW = {"id", "portal_id", "call_id"}
OF_A_CALL = {"phone_digits", "is_confirmed", "is_gone", "sum_duration_s", "source"}
TABLES: dict[type[Table], set[str]] = {
    CallTable: OF_A_ROW | OF_A_CALL | {"is_start_guessed", "received_at"},
    CallLegTable: OF_A_ROW | {*Leg.__struct_fields__} - {*CALL_FIELDS},
}


def columns_of(table: type[Table]) -> dict[str, Column]:
    return {column._meta.name: column for column in table.all_columns()}  # noqa: SLF001  Piccolo has no public way.


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_a_column_for_each_field_of_the_same_kind(table: type[Table]) -> None:
    columns = columns_of(table)
    assert set(columns) == {*CALL_FIELDS} | TABLES[table]
    for field in msgspec.structs.fields(CallFields):
        kinds = set(get_args(field.type)) if isinstance(field.type, UnionType) else {field.type}
        column = columns[field.name]
        assert column._meta.null == (NoneType in kinds), field.name  # noqa: SLF001  As above.
        (kind,) = kinds - {NoneType}
        assert isinstance(column, KINDS[kind]), field.name


def test_statements_bind_the_fields_of_a_leg_in_their_order() -> None:
    assert tuple(LEG_TYPES) == Leg.__struct_fields__


def test_all_that_a_row_of_the_statistics_tells_is_in_its_leg() -> None:
    of_record = set(StatisticsRecord.__struct_fields__)
    assert of_record >= {*CALL_FIELDS}
    facts = {name: name if name in TEXT_FIELDS else number for number, name in enumerate(CALL_FIELDS, 2)}
    facts |= {"has_recording": True, "has_transcript": True}
    other = dict.fromkeys(of_record - {*CALL_FIELDS}, 1)
    leg = leg_of_statistics(msgspec.convert(facts | other | {"call_id": "call.1"}, StatisticsRecord), 1)
    assert {name: getattr(leg, name) for name in CALL_FIELDS} == facts
