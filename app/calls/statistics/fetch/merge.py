"""Writing rows of the statistics over the legs of events, chunk by chunk, for one generation of a portal."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec

from app.bitrix24.incoming.statistics import ROW_NAME, StatisticsRecord
from app.calls.space.destination import Destination
from app.calls.space.sizes import growth_of
from app.calls.statistics.fetch.merge_queries import find_holders, list_unsettled
from app.calls.statistics.progress.mark_queries import suspect
from app.calls.store.call_queries import load_calls, save_calls
from app.calls.store.known_calls import Change, Key, KnownCall, is_changed
from app.calls.store.legs import (
    Leg,
    Legs,
    give_up_ids,
    leg_of_statistics,
    list_surplus,
    mark_gone,
    mark_lacked,
    meet_statistics,
)
from app.calls.store.retries import retry_overtaken
from app.calls.store.shown_legs import forget_old, show
from app.kit.text import storable
from app.portals.hold_queries import hold_installation
from app.portals.outbound.access import PortalNotConnectedError
from app.portals.settings.settings_queries import find_settings

CHUNK_CALLS = 50  # The same number as `batch_reader.CHUNK_ROWS` on SQLite.


class Written(msgspec.Struct, frozen=True):
    """How many calls a chunk inserted and changed, and the ids that were another call's until now."""

    inserted: int
    changed: int
    taken_ids: frozenset[int] = frozenset()


class Decision(msgspec.Struct, frozen=True):
    """How to rewrite calls: `decide` returns a call's new legs, by its id and its known legs.

    `at`: the moment of the read. `kept_from`: a new call that began before this moment is left out (None: no
    call is left out). `call_of`: the call that each id of a row belongs to now.
    """

    decide: Callable[[str, Legs], Legs]
    at: int
    kept_from: int | None = None
    call_of: Mapping[int, str] = {}


class OverfullError(Exception):
    """A call has no room for these rows of the statistics."""

    def __init__(self, call_id: str, surplus: Sequence[Leg]) -> None:
        super().__init__("a call has too many legs")
        self.call_id = call_id
        self.surplus = surplus


async def write_rows(destination: Destination, records: Sequence[StatisticsRecord], read_at: int) -> Written:
    """Merge one chunk of rows; return how much it changed. Raises PortalNotConnectedError when the portal has
    another installation by now, and QuotaReached, before anything is written, when it has no room.

    A new call is left out if it began before the portal's time to keep calls: it has been removed before, or
    it would be removed at once. A row takes over an id that another call has, because a restored or moved
    portal gives the same ids again.
    """
    await destination.room.admit(destination.portal_id)
    kept_from = (await find_settings(destination.portal_id)).kept_from(read_at)
    rows: dict[str, list[Leg]] = {}
    for record in {record.statistics_id: record for record in records}.values():  # Each id once.
        rows.setdefault(storable(record.call_id), []).append(leg_of_statistics(record, read_at))
    await _keep_names(destination, rows)
    while True:
        try:
            return await _rewrite(destination, rows, _decision_of(rows, read_at, kept_from))
        except OverfullError as error:
            _part(rows, error)


def _decision_of(rows: Mapping[str, Sequence[Leg]], read_at: int, kept_from: int | None) -> Decision:
    call_of = {leg.statistics_id: call_id for call_id, legs in rows.items() for leg in legs}

    def decide(call_id: str, legs: Legs) -> Legs:
        new = rows.get(call_id, ())
        if surplus := list_surplus(legs, new):
            raise OverfullError(call_id, surplus)
        return meet_statistics(legs, new)

    return Decision(decide, read_at, kept_from, {one: name for one, name in call_of.items() if one})


async def _keep_names(destination: Destination, rows: dict[str, list[Leg]]) -> None:
    """Leave out the rows whose CALL_ID could be read before and cannot be read now, so that such a row does
    not become another call.
    """
    every = ((name, leg.statistics_id or 0) for name, legs in rows.items() for leg in legs)
    unnamed = {statistics_id for name, statistics_id in every if name == f"{ROW_NAME}{statistics_id}"}
    for statistics_id, call_id in (
        await find_holders(destination.portal_id, unnamed, destination.database)
    ).items():
        if call_id != f"{ROW_NAME}{statistics_id}":
            del rows[f"{ROW_NAME}{statistics_id}"]


def _part(rows: dict[str, list[Leg]], error: OverfullError) -> None:
    """Turn each row for which its call has no room into a separate call, so that no row is missing."""
    rows[error.call_id] = [row for row in rows[error.call_id] if row not in error.surplus]
    rows |= {f"{ROW_NAME}{row.statistics_id}": [row] for row in error.surplus}
    if not rows[error.call_id]:
        del rows[error.call_id]


async def note_gone(destination: Destination, statistics_ids: Collection[int], at: int) -> int:
    """Note that the portal deleted these rows, so they confirm no call now; return how many calls changed."""
    wanted = frozenset(statistics_ids)
    call_ids = set((await find_holders(destination.portal_id, wanted, destination.database)).values())
    decision = Decision(lambda _, legs: mark_gone(legs, wanted, at), at)
    return await _rewrite_all(destination, sorted(call_ids), decision)


async def note_lacked(destination: Destination, statistics_ids: Collection[int], at: int) -> int:
    """Note that a read lacked these rows, for a reason not known yet; return how many calls changed."""
    wanted = frozenset(statistics_ids)
    call_ids = set((await find_holders(destination.portal_id, wanted, destination.database)).values())
    decision = Decision(lambda _, legs: mark_lacked(legs, wanted, at), at)
    return await _rewrite_all(destination, sorted(call_ids), decision)


async def forget_old_legs(destination: Destination, before: int) -> int:
    """Delete the rows that were gone before this moment, and the legs of events from before it where their
    call has rows. Returns how many calls changed, including those that were deleted.
    """
    decision, changed, last = Decision(lambda _, legs: forget_old(legs, before), 0), 0, ""
    while call_ids := await list_unsettled(
        destination.portal_id, before, last, CHUNK_CALLS, destination.database
    ):
        changed += await _rewrite_all(destination, call_ids, decision)
        last = call_ids[-1]
    return changed


async def _rewrite_all(destination: Destination, call_ids: Sequence[str], decision: Decision) -> int:
    changed = 0
    for start in range(0, len(call_ids), CHUNK_CALLS):
        changed += (await _rewrite(destination, call_ids[start : start + CHUNK_CALLS], decision)).changed
    return changed


async def _rewrite(destination: Destination, call_ids: Iterable[str], decision: Decision) -> Written:
    return await retry_overtaken(partial(_rewrite_once, destination, list(call_ids), decision))


async def _rewrite_once(destination: Destination, call_ids: Sequence[str], decision: Decision) -> Written:
    database, portal_id = destination.database, destination.portal_id
    async with database.patient_transaction():
        if not await hold_installation(portal_id, destination.generation, database):
            raise PortalNotConnectedError("the portal was uninstalled or installed again meanwhile")
        taken = await _find_taken(destination, decision)
        if taken:  # In the same transaction as the rows, because another process may go on reading.
            await suspect(portal_id, destination.generation, min(min(ids) for ids in taken.values()))
        wanted = dict.fromkeys([*call_ids, *taken])
        known = await load_calls(database, ((portal_id, call_id) for call_id in wanted))
        drafts = [_draft((portal_id, call_id), known, decision, taken) for call_id in wanted]
        changed = [draft for draft in drafts if is_changed(draft) and _is_kept(draft, decision.kept_from)]
        if changed:
            await save_calls(database, changed)
            await destination.changes.notify(database, [portal_id])
    if changed:
        destination.room.note(portal_id, growth_of(changed))
        destination.changes.announce(portal_id)
    return _sum_up(changed, frozenset().union(*taken.values()))


def _sum_up(changed: Sequence[Change], taken_ids: frozenset[int]) -> Written:
    inserted = sum(draft.known is None for draft in changed)
    return Written(inserted, len(changed) - inserted, taken_ids)


def _draft(
    key: Key, known: Mapping[Key, KnownCall], decision: Decision, taken: Mapping[str, frozenset[int]]
) -> Change:
    call = known.get(key)
    legs = call.legs if call else ()
    if key[1] in taken:
        legs = give_up_ids(legs, taken[key[1]], decision.at)
    return Change(key, call, decision.decide(key[1], legs), "history")


def _is_kept(draft: Change, kept_from: int | None) -> bool:
    return draft.known is not None or kept_from is None or show(draft.legs).leg.started_at >= kept_from


async def _find_taken(destination: Destination, decision: Decision) -> dict[str, frozenset[int]]:
    """The stored calls that lose ids, because the rows with these ids belong to other calls now. The result
    has the lost ids by call.
    """
    taken: dict[str, set[int]] = {}
    for statistics_id, call_id in (
        await find_holders(destination.portal_id, decision.call_of, destination.database)
    ).items():
        if decision.call_of[statistics_id] != call_id:
            taken.setdefault(call_id, set()).add(statistics_id)
    return {call_id: frozenset(ids) for call_id, ids in taken.items()}
