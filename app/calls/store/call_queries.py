"""Calls that may be known already: reading them and their legs under locks, then writing the changes.

Only this module and the fast insert (app/calls/intake) insert or change calls and their legs. Every function
here runs in a transaction that first holds the portal's row, so that nothing is written for an uninstalled
portal.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from piccolo.columns import BigInt, Boolean, Column, Integer, Text
from piccolo.table import Table

from app.calls.store.known_calls import (
    Change,
    Key,
    KnownCall,
    Values,
    digits_of,
    leg_of_row,
    rows_of_legs,
)
from app.calls.store.legs import CALL_FIELDS, Leg, Legs
from app.calls.store.retries import OvertakenError
from app.calls.store.shown_legs import find_operators, show, sum_durations
from app.calls.tables import CallLegTable, CallOperatorTable, CallTable
from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from

_SQL_TYPES: dict[type[Column], str] = {BigInt: "bigint", Integer: "integer", Text: "text", Boolean: "boolean"}


def types_of(table: type[Table], names: Iterable[str]) -> dict[str, str]:
    """The SQL type of each of these columns."""
    columns = {name: table._meta.get_column_by_name(name) for name in names}  # noqa: SLF001  Piccolo has no public way.
    return {name: _SQL_TYPES[type(column)] for name, column in columns.items()}


KEY_TYPES = types_of(CallTable, ("portal_id", "call_id"))
LEG_TYPES = types_of(CallLegTable, Leg.__struct_fields__)
_PAIR_TYPES = {"portal_id": "bigint", "token_hash": "text"}
_OPERATOR_TYPES = types_of(CallOperatorTable, ("portal_id", "call_id", "user_id"))
# A call's row has these fields of the leg that speaks for the call.
_OF_LEG = (*CALL_FIELDS, "is_start_guessed")
_DERIVED = ("phone_digits", "is_confirmed", "is_gone", "sum_duration_s")
_CALL_TYPES = types_of(CallTable, (*_OF_LEG, *_DERIVED))
_INSERTED_TYPES = KEY_TYPES | types_of(CallTable, ("source", "received_at")) | _CALL_TYPES


async def load_calls(database: Database, keys: Iterable[Key]) -> dict[Key, KnownCall]:
    """The stored calls of these keys, locked until the transaction ends."""
    wanted = encode_rows(sorted(set(keys)))
    held = "" if database.is_sqlite else " FOR UPDATE OF c"
    calls_of = f"{rows_from(database, KEY_TYPES)} k JOIN calls c USING (portal_id, call_id)"
    legs_of = f"{rows_from(database, KEY_TYPES)} k JOIN call_legs l USING (portal_id, call_id)"
    calls = await database.run(
        f"SELECT c.* FROM {calls_of} ORDER BY c.portal_id, c.call_id{held}",  # noqa: S608  Our names.
        wanted,
    )
    legs = await database.run(f"SELECT l.* FROM {legs_of} ORDER BY l.id", wanted)  # noqa: S608  As above.
    stored: dict[Key, dict[Leg, int]] = {}
    for row in legs:
        stored.setdefault(_key_of(row), {})[leg_of_row(row)] = _as_integer(row["id"])
    return {_key_of(row): _known_call(row, stored.get(_key_of(row), {})) for row in calls}


async def save_calls(database: Database, changes: Sequence[Change]) -> None:
    """Write the differences; raise OvertakenError when another process was faster with a new call or row."""
    await _delete_legs(database, changes)
    await _delete_calls(database, [change for change in changes if change.known and not change.legs])
    kept = [change for change in changes if change.legs]
    await _insert_calls(database, [change for change in kept if change.known is None])
    await _update_calls(database, [change for change in kept if _is_shown_otherwise(change)])
    await _insert_legs(database, kept)
    await _replace_operators(database, kept)


def _is_shown_otherwise(change: Change) -> bool:
    return change.known is not None and _values_of(change.legs) != change.known.values


async def _delete_calls(database: Database, changes: Sequence[Change]) -> None:
    if changes:
        source = rows_from(database, KEY_TYPES)
        for table in ("call_operators", "calls"):
            await database.run(
                f"DELETE FROM {table} WHERE (portal_id, call_id) IN"  # noqa: S608  Our own names only.
                f" (SELECT portal_id, call_id FROM {source} k)",
                encode_rows(change.key for change in changes),
            )


async def _insert_calls(database: Database, changes: Sequence[Change]) -> None:
    if not changes:
        return
    names = ", ".join(_INSERTED_TYPES)
    rows = [_inserted_values(change) for change in sorted(changes, key=lambda change: change.key)]
    inserted = await database.run(
        f"INSERT INTO calls ({names}) SELECT {names}"  # noqa: S608  Our own column names only.
        f" FROM {rows_from(database, _INSERTED_TYPES)} k WHERE true"
        " ON CONFLICT (portal_id, call_id) DO NOTHING RETURNING call_id",
        encode_rows([row[name] for name in _INSERTED_TYPES] for row in rows),
    )
    if len(inserted) != len(changes):
        raise OvertakenError


async def _update_calls(database: Database, changes: Sequence[Change]) -> None:
    if not changes:
        return
    types = KEY_TYPES | _CALL_TYPES
    assignments = ", ".join(f"{name} = k.{name}" for name in _CALL_TYPES)
    await database.run(
        f"UPDATE calls SET {assignments} FROM {rows_from(database, types)} k"  # noqa: S608
        " WHERE calls.portal_id = k.portal_id AND calls.call_id = k.call_id",
        encode_rows(
            (*change.key, *(values[name] for name in _CALL_TYPES))
            for change in changes
            for values in [_values_of(change.legs)]
        ),
    )


async def _delete_legs(database: Database, changes: Sequence[Change]) -> None:
    gone = [
        (change.key[0], leg_id)
        for change in changes
        if change.known
        for kept in [set(rows_of_legs(change))]
        for leg, leg_id in change.known.leg_ids.items()
        if leg not in kept
    ]
    if gone:
        source = rows_from(database, {"portal_id": "bigint", "id": "bigint"})
        await database.run(
            f"DELETE FROM call_legs WHERE (portal_id, id) IN (SELECT portal_id, id FROM {source} k)",  # noqa: S608  As above.
            encode_rows(gone),
        )


async def _insert_legs(database: Database, changes: Sequence[Change]) -> None:
    new = [
        (*change.key, *msgspec.structs.astuple(leg))
        for change in changes
        for leg in rows_of_legs(change)
        if not change.known or leg not in change.known.leg_ids
    ]
    if new:
        types = KEY_TYPES | LEG_TYPES
        names = ", ".join(types)
        inserted = await database.run(
            f"INSERT INTO call_legs ({names}) SELECT {names}"  # noqa: S608  As above.
            f" FROM {rows_from(database, types)} k WHERE true ON CONFLICT DO NOTHING RETURNING id",
            encode_rows(new),
        )
        if len(inserted) != len(new):  # Another call has taken the id since it was looked for.
            raise OvertakenError


async def _replace_operators(database: Database, changes: Sequence[Change]) -> None:
    """Write the further operators of each call: the users of its confirmed legs, without the operator in the
    call's own row. Few calls have further operators.
    """
    before = {change.key: _operators_of(change.known.legs if change.known else ()) for change in changes}
    after = {change.key: _operators_of(change.legs) for change in changes}
    gone = [(*key, user_id) for key in before for user_id in sorted(before[key] - after[key])]
    new = [(*key, user_id) for key in after for user_id in sorted(after[key] - before[key])]
    source, names = rows_from(database, _OPERATOR_TYPES), ", ".join(_OPERATOR_TYPES)
    if gone:
        await database.run(
            f"DELETE FROM call_operators WHERE ({names}) IN (SELECT {names} FROM {source} k)",  # noqa: S608
            encode_rows(gone),
        )
    if new:
        await database.run(
            f"INSERT INTO call_operators ({names}) SELECT {names} FROM {source} k WHERE true"  # noqa: S608
            " ON CONFLICT DO NOTHING",
            encode_rows(new),
        )


def _operators_of(legs: Legs) -> frozenset[int]:
    return find_operators(show(legs)) if len(legs) > 1 else frozenset()


def _inserted_values(change: Change) -> Values:
    received_at = min(leg.received_at for leg in change.legs)
    portal_id, call_id = change.key
    key = {"portal_id": portal_id, "call_id": call_id}
    return key | {"source": change.source, "received_at": received_at} | _values_of(change.legs)


def _values_of(legs: Legs) -> Values:
    """The values of the call's own row."""
    shown = show(legs)
    leg = shown.leg
    return {name: getattr(leg, name) for name in _OF_LEG} | {
        "phone_digits": digits_of(leg.phone_number),
        "is_confirmed": shown.is_confirmed,
        "is_gone": shown.is_gone,
        "sum_duration_s": sum_durations(shown),
    }


def _known_call(row: Mapping[str, object], leg_ids: dict[Leg, int]) -> KnownCall:
    return KnownCall(_key_of(row), _stored_values(row), tuple(leg_ids) or (leg_of_row(row),), leg_ids)


def _stored_values(row: Mapping[str, object]) -> Values:
    return {name: bool(row[name]) if kind == "boolean" else row[name] for name, kind in _CALL_TYPES.items()}


def _key_of(row: Mapping[str, object]) -> Key:
    return _as_integer(row["portal_id"]), str(row["call_id"])


def _as_integer(value: object) -> int:
    return int(str(value)) if not isinstance(value, int) else value


async def hold_portals(database: Database, pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of the pairs (portal id, hash of its application_token) that match an installed portal.

    The portals' rows are held until the transaction ends, in one order, so that no uninstall comes in
    between.
    """
    rows = await database.run(
        f"SELECT k.portal_id, k.token_hash FROM {rows_from(database, _PAIR_TYPES)} k"  # noqa: S608
        " JOIN portals p ON p.id = k.portal_id AND p.application_token_hash = k.token_hash"
        f" WHERE p.state = 'installed' ORDER BY p.id{'' if database.is_sqlite else ' FOR SHARE OF p'}",
        encode_rows(sorted(set(pairs))),
    )
    return {(_as_integer(row["portal_id"]), str(row["token_hash"])) for row in rows}
