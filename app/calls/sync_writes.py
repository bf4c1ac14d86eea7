"""Writing rows of the statistics over what events told, chunk by chunk, under one generation of a portal."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import asyncpg
import msgspec

from app.bitrix24.statistics import ROW_NAME, StatisticsRecord
from app.calls.changes import Changes
from app.calls.counting import GRACE_S
from app.calls.legs import (
    Leg,
    Legs,
    drop_disproved,
    leg_of_statistics,
    list_surplus,
    meet_statistics,
    shown_leg,
)
from app.calls.room import Room
from app.calls.sizes import growth_of
from app.calls.writes import (
    Change,
    Key,
    KnownCall,
    OvertakenError,
    is_changed,
    load_calls,
    save_calls,
)
from app.kit.database import Database
from app.kit.rows import encode_rows, rows_source
from app.kit.text import storable
from app.portals.access import PortalNotConnectedError
from app.portals.hold_queries import hold_installation
from app.portals.settings_queries import find_settings

CHUNK_CALLS = 100  # As many as of rows, in `batches.py`.
ATTEMPTS = 3
_DISPROVING = {"portal_id": "bigint", "window_from": "bigint", "read_at": "bigint", "told_before": "bigint"}
_READ = {"portal_id": "bigint", "generation": "integer", "at": "bigint"}


class Installation(msgspec.Struct, frozen=True):
    """Where a read writes, and as which installation of the portal."""

    database: Database
    changes: Changes
    portal_id: int
    generation: int
    room: Room


class Written(msgspec.Struct, frozen=True):
    """How many calls a chunk inserted, how many known ones it changed, and the rows that were not known."""

    inserted: int
    changed: int
    new_rows: list[Leg]


class Decision(msgspec.Struct, frozen=True):
    """What a call's legs become, and the first moment from which on new calls are taken (None: all)."""

    decide: Callable[[str, Legs], Legs]
    kept_from: int | None = None


class OverfullError(Exception):
    """A call has no room for these rows of the statistics."""

    def __init__(self, call_id: str, surplus: Sequence[Leg]) -> None:
        super().__init__("a call has too many legs")
        self.call_id = call_id
        self.surplus = surplus


async def write_rows(
    installation: Installation, records: Sequence[StatisticsRecord], read_at: int
) -> Written:
    """Merge one chunk of rows; raise PortalNotConnectedError when the installation is another meanwhile, and
    QuotaReached, before anything is written, when the portal has no room.

    A new call that is older than the portal keeps calls is left out: it was removed, or would be.
    """
    await installation.room.admit(installation.portal_id)
    kept_from = (await find_settings(installation.portal_id)).kept_from(read_at)
    rows: dict[str, list[Leg]] = {}
    for record in records:
        rows.setdefault(storable(record.call_id), []).append(leg_of_statistics(record, read_at))
    decision = Decision(lambda call_id, legs: _meet(call_id, legs, rows[call_id]), kept_from)
    while True:
        try:
            return await _rewrite(installation, rows, decision)
        except OverfullError as error:
            _part(rows, error)


def _meet(call_id: str, legs: Legs, rows: Sequence[Leg]) -> Legs:
    if surplus := list_surplus(legs, rows):
        raise OverfullError(call_id, surplus)
    return meet_statistics(legs, rows)


def _part(rows: dict[str, list[Leg]], error: OverfullError) -> None:
    """Make each row for which its call has no room a call of its own, so that none is missing."""
    rows[error.call_id] = [row for row in rows[error.call_id] if row not in error.surplus]
    rows |= {f"{ROW_NAME}{row.statistics_id}": [row] for row in error.surplus}
    if not rows[error.call_id]:
        del rows[error.call_id]


async def drop_disproved_legs(installation: Installation, window_from: int, read_at: int) -> int:
    """After a whole read: drop the legs that events told of and that it should have shown; how many calls."""
    call_ids = await _list_doubtful(installation, window_from, read_at)
    changed = 0
    for start in range(0, len(call_ids), CHUNK_CALLS):
        written = await _rewrite(
            installation,
            call_ids[start : start + CHUNK_CALLS],
            Decision(lambda _, legs: drop_disproved(legs, window_from, read_at, GRACE_S)),
        )
        changed += written.changed
    return changed


async def note_read(installation: Installation, read_at: int) -> None:
    """Note when the portal's statistics were last read to their end."""
    database = installation.database
    await database.run(
        f"UPDATE portals SET synced_at = k.at FROM {rows_source(database, _READ)} k"  # noqa: S608  Our names.
        " WHERE portals.id = k.portal_id AND portals.generation = k.generation AND state = 'installed'",
        encode_rows([(installation.portal_id, installation.generation, read_at)]),
    )


async def _rewrite(installation: Installation, call_ids: Iterable[str], decision: Decision) -> Written:
    for _ in range(ATTEMPTS - 1):
        try:
            return await _rewrite_once(installation, list(call_ids), decision)
        except (OvertakenError, asyncpg.DeadlockDetectedError):
            continue
    return await _rewrite_once(installation, list(call_ids), decision)


async def _rewrite_once(installation: Installation, call_ids: Sequence[str], decision: Decision) -> Written:
    database, portal_id = installation.database, installation.portal_id
    async with database.patient_transaction():
        if not await hold_installation(portal_id, installation.generation, database):
            raise PortalNotConnectedError("the portal was uninstalled or installed anew meanwhile")
        known = await load_calls(database, ((portal_id, call_id) for call_id in call_ids))
        drafts = [_draft((portal_id, call_id), known, decision) for call_id in call_ids]
        changed = [draft for draft in drafts if is_changed(draft) and _is_kept(draft, decision.kept_from)]
        if changed:
            await save_calls(database, changed)
            await installation.changes.notify(database, [portal_id])
    if changed:
        installation.room.note(portal_id, growth_of(changed))
        installation.changes.announce(portal_id)
    inserted = sum(draft.known is None for draft in changed)
    return Written(inserted, len(changed) - inserted, [leg for draft in changed for leg in _new_rows(draft)])


def _new_rows(draft: Change) -> Iterator[Leg]:
    known = {None} | ({leg.statistics_id for leg in draft.known.legs} if draft.known else set())
    return (leg for leg in draft.legs if leg.statistics_id not in known)


def _draft(key: Key, known: Mapping[Key, KnownCall], decision: Decision) -> Change:
    call = known.get(key)
    return Change(key, call, decision.decide(key[1], call.legs if call else ()), "history")


def _is_kept(draft: Change, kept_from: int | None) -> bool:
    return draft.known is not None or kept_from is None or shown_leg(draft.legs).started_at >= kept_from


async def _list_doubtful(installation: Installation, window_from: int, read_at: int) -> list[str]:
    """Calls that the statistics show and that still have a leg that only an event told of."""
    database = installation.database
    rows = await database.run(
        f"SELECT DISTINCT l.call_id FROM {rows_source(database, _DISPROVING)} k"  # noqa: S608  Our names.
        " JOIN call_legs l ON l.portal_id = k.portal_id AND l.statistics_id IS NULL"
        " AND l.started_at BETWEEN k.window_from AND k.read_at AND l.received_at < k.told_before"
        " WHERE EXISTS (SELECT 1 FROM call_legs s WHERE s.portal_id = l.portal_id AND s.call_id = l.call_id"
        " AND s.statistics_id IS NOT NULL)",
        encode_rows([(installation.portal_id, window_from, read_at, read_at - GRACE_S)]),
    )
    return [str(row["call_id"]) for row in rows]
