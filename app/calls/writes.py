"""Writing calls that may be known already: read them and their legs under locks, decide, write what changed.

The one place, beside the fast insert of `inserts.py`, that writes calls and their legs. Everything here runs
in a transaction that first holds the portal's row, so that nothing is written under an uninstalled portal.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from app.calls.legs import Leg, Legs, shown_leg
from app.kit.database import Database
from app.kit.rows import encode_rows, rows_source

Key = tuple[int, str]  # portal_id, call_id as stored

LEG_TYPES = {  # In the order of Leg's fields.
    "type": "integer",
    "phone_number": "text",
    "portal_number": "text",
    "user_id": "bigint",
    "started_at": "bigint",
    "is_start_guessed": "boolean",
    "duration_s": "bigint",
    "cost_e4": "bigint",
    "currency": "text",
    "code": "text",
    "reason": "text",
    "crm_activity_id": "bigint",
    "received_at": "bigint",
    "crm_entity_type": "text",
    "crm_entity_id": "bigint",
    "has_recording": "boolean",
    "has_transcript": "boolean",
    "vote": "bigint",
    "comment": "text",
    "statistics_id": "bigint",
}
KEY_TYPES = {"portal_id": "bigint", "call_id": "text"}
_PAIR_TYPES = {"portal_id": "bigint", "token_hash": "text"}
_SHOWN = [name for name in LEG_TYPES if name not in {"received_at", "statistics_id"}]
_CALL_TYPES = {name: LEG_TYPES[name] for name in _SHOWN} | {"phone_digits": "text", "is_confirmed": "boolean"}
_NOT_A_DIGIT = re.compile("[^0-9]")


class OvertakenError(Exception):
    """Another process inserted the same call meanwhile: do the transaction again."""


class KnownCall(msgspec.Struct):
    """A call as stored; `leg_ids` is empty while it is one event's, whose leg has no row of its own."""

    key: Key
    shown: Leg
    is_confirmed: bool
    legs: Legs
    leg_ids: dict[Leg, int]


class Change(msgspec.Struct):
    """What a call shall be; `known` None inserts it with its source."""

    key: Key
    known: KnownCall | None
    legs: Legs
    source: str


def digits_of(phone_number: str | None) -> str | None:
    """The number's digits for the search, if it has two or more."""
    digits = _NOT_A_DIGIT.sub("", phone_number) if phone_number else ""
    return digits if len(digits) > 1 else None


async def load_calls(database: Database, keys: Iterable[Key]) -> dict[Key, KnownCall]:
    """The calls among the keys that are stored, held until the transaction ends."""
    wanted = encode_rows(sorted(set(keys)))
    held = "" if database.is_sqlite else " FOR UPDATE OF c"
    calls_of = f"{rows_source(database, KEY_TYPES)} k JOIN calls c USING (portal_id, call_id)"
    legs_of = f"{rows_source(database, KEY_TYPES)} k JOIN call_legs l USING (portal_id, call_id)"
    calls = await database.run(
        f"SELECT c.* FROM {calls_of} ORDER BY c.portal_id, c.call_id{held}",  # noqa: S608  Our names.
        wanted,
    )
    legs = await database.run(f"SELECT l.* FROM {legs_of} ORDER BY l.id", wanted)  # noqa: S608  As above.
    stored: dict[Key, dict[Leg, int]] = {}
    for row in legs:
        stored.setdefault(_key_of(row), {})[_leg_of_row(row)] = _as_integer(row["id"])
    return {_key_of(row): _known_call(row, stored.get(_key_of(row), {})) for row in calls}


async def save_calls(database: Database, changes: Sequence[Change]) -> None:
    """Write what differs; raise OvertakenError when another process has just inserted a new call."""
    await _insert_calls(database, [change for change in changes if change.known is None])
    await _update_calls(database, [change for change in changes if _is_shown_otherwise(change)])
    await _delete_legs(database, changes)
    await _insert_legs(database, changes)


def is_changed(change: Change) -> bool:
    """Whether anything would be written."""
    return change.known is None or set(change.legs) != set(change.known.legs)


def _is_shown_otherwise(change: Change) -> bool:
    known = change.known
    return known is not None and _values_of(change.legs) != _shown_values(known.shown, known.is_confirmed)


async def _insert_calls(database: Database, changes: Sequence[Change]) -> None:
    if not changes:
        return
    types = KEY_TYPES | {"source": "text", "received_at": "bigint"} | _CALL_TYPES
    names = ", ".join(types)
    rows = [_call_values(change) for change in sorted(changes, key=lambda change: change.key)]
    inserted = await database.run(
        f"INSERT INTO calls ({names}) SELECT {names}"  # noqa: S608  Our own column names only.
        f" FROM {rows_source(database, types)} k WHERE true"
        " ON CONFLICT (portal_id, call_id) DO NOTHING RETURNING call_id",
        encode_rows(rows),
    )
    if len(inserted) != len(changes):
        raise OvertakenError


async def _update_calls(database: Database, changes: Sequence[Change]) -> None:
    if not changes:
        return
    types = KEY_TYPES | _CALL_TYPES
    assignments = ", ".join(f"{name} = k.{name}" for name in _CALL_TYPES)
    await database.run(
        f"UPDATE calls SET {assignments} FROM {rows_source(database, types)} k"  # noqa: S608
        " WHERE calls.portal_id = k.portal_id AND calls.call_id = k.call_id",
        encode_rows((*change.key, *_values_of(change.legs)) for change in changes),
    )


async def _delete_legs(database: Database, changes: Sequence[Change]) -> None:
    gone = [
        (change.key[0], leg_id)
        for change in changes
        if change.known
        for leg, leg_id in change.known.leg_ids.items()
        if leg not in rows_of_legs(change)
    ]
    if gone:
        source = rows_source(database, {"portal_id": "bigint", "id": "bigint"})
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
        await database.run(
            f"INSERT INTO call_legs ({names}) SELECT {names}"  # noqa: S608  As above.
            f" FROM {rows_source(database, types)} k WHERE true ON CONFLICT DO NOTHING",
            encode_rows(new),
        )


def rows_of_legs(change: Change) -> Legs:
    """The legs that have rows: none while the call is one event's, which its own row tells in full."""
    if len(change.legs) == 1 and change.legs[0].statistics_id is None:
        return ()
    return change.legs


def _call_values(change: Change) -> tuple[object, ...]:
    received_at = min(leg.received_at for leg in change.legs)
    return (*change.key, change.source, received_at, *_values_of(change.legs))


def _values_of(legs: Legs) -> tuple[object, ...]:
    """What the call's own row says, in the order of `_CALL_TYPES`."""
    return _shown_values(shown_leg(legs), any(leg.statistics_id is not None for leg in legs))


def _shown_values(leg: Leg, is_confirmed: bool) -> tuple[object, ...]:  # noqa: FBT001  A column like the others.
    return (*(getattr(leg, name) for name in _SHOWN), digits_of(leg.phone_number), is_confirmed)


def _known_call(row: Mapping[str, object], leg_ids: dict[Leg, int]) -> KnownCall:
    shown = _leg_of_row(row)
    return KnownCall(_key_of(row), shown, bool(row["is_confirmed"]), tuple(leg_ids) or (shown,), leg_ids)


def _leg_of_row(row: Mapping[str, object]) -> Leg:
    values = {name: row[name] for name in LEG_TYPES if name in row}
    for name in ("is_start_guessed", "has_recording", "has_transcript"):
        values[name] = bool(values[name])
    return msgspec.convert(values, Leg)


def _key_of(row: Mapping[str, object]) -> Key:
    return _as_integer(row["portal_id"]), str(row["call_id"])


def _as_integer(value: object) -> int:
    return int(str(value)) if not isinstance(value, int) else value


async def hold_portals(database: Database, pairs: Iterable[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those of the pairs (portal id, hash of its application_token) that are true of an installed portal.

    The portals' rows are held until the transaction ends, in one order, so that no uninstall comes between.
    """
    rows = await database.run(
        f"SELECT k.portal_id, k.token_hash FROM {rows_source(database, _PAIR_TYPES)} k"  # noqa: S608
        " JOIN portals p ON p.id = k.portal_id AND p.application_token_hash = k.token_hash"
        f" WHERE p.state = 'installed' ORDER BY p.id{'' if database.is_sqlite else ' FOR SHARE OF p'}",
        encode_rows(sorted(set(pairs))),
    )
    return {(_as_integer(row["portal_id"]), str(row["token_hash"])) for row in rows}
