"""Verified call-end events on their way into the log, and the slower way of storing those of known calls."""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

import msgspec

from app.bitrix24.incoming.call_end import CallRecord
from app.calls.space.sizes import Size, growth_of, size_of_event
from app.calls.store.call_queries import hold_portals, load_calls, save_calls
from app.calls.store.known_calls import Change, Key, KnownCall, is_changed
from app.calls.store.legs import Leg, is_overfull, leg_of_event, meet_event
from app.calls.store.retries import retry_overtaken
from app.kit.storage.database import Database
from app.kit.text import storable
from app.portals.news import Changes

NoteSize = Callable[[int, Size], None]  # Notes how much a portal has stored.


class Outcome(Enum):
    """The outcome of an event: STORED and DUPLICATE are durable. OVERFULL: its call has too many legs."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    OVERFULL = "overfull"


class Arrival(msgspec.Struct, frozen=True):
    """One event: its portal, its call, the hash of the token that proves it, and the leg that it tells."""

    portal_id: int
    call_id: str
    token_hash: str
    leg: Leg

    @property
    def key(self) -> Key:
        """The unique key of the call."""
        return self.portal_id, self.call_id

    def __repr__(self) -> str:
        """Names the portal only: the rest holds a phone number and the hash of a secret."""
        return f"Arrival(portal_id={self.portal_id})"


def arrival_of(
    portal_id: int, token_hash: str, record: CallRecord, received_at: int, fallback_started_at: int | None
) -> Arrival:
    """The event as it will be stored."""
    leg = leg_of_event(record, received_at, fallback_started_at)
    return Arrival(portal_id, storable(record.call_id), token_hash, leg)


async def meet_arrivals(
    database: Database,
    changes: Changes,
    note: NoteSize,
    arrivals: Sequence[Arrival],
    *,
    is_missed: bool = False,
) -> list[Outcome]:
    """Store events of calls that may be known, in order and in one transaction; return the outcome of each.

    `is_missed`: the fast insert was given these events before, and did not say which of them it inserted.
    Raises the driver's errors, and OvertakenError when other processes were faster three times.
    """
    return await retry_overtaken(partial(_meet_once, database, changes, note, arrivals, is_missed=is_missed))


async def _meet_once(
    database: Database, changes: Changes, note: NoteSize, arrivals: Sequence[Arrival], *, is_missed: bool
) -> list[Outcome]:
    async with database.transaction():
        accepted = await hold_portals(database, ((each.portal_id, each.token_hash) for each in arrivals))
        honest = [each for each in arrivals if (each.portal_id, each.token_hash) in accepted]
        if not honest:
            return [Outcome.REFUSED] * len(arrivals)
        known = await load_calls(database, (each.key for each in honest))
        drafts = {each.key: Change(each.key, known.get(each.key), (), "event") for each in honest}
        for key, call in known.items():
            drafts[key].legs = call.legs
        outcomes = [_meet(drafts, each) if each in honest else Outcome.REFUSED for each in arrivals]
        changed = [draft for draft in drafts.values() if is_changed(draft)]
        if changed:
            await save_calls(database, changed)
            await changes.notify(database, {draft.key[0] for draft in changed})
    for draft in changed:
        note(draft.key[0], growth_of([draft]))
    for each in honest:
        if is_missed and _is_just_inserted(known.get(each.key), each):
            note(each.portal_id, size_of_event(each.call_id, each.leg))
    return outcomes


def _is_just_inserted(known: KnownCall | None, arrival: Arrival) -> bool:
    """Whether the known call is this very event, which SQLite's fast insert has stored without saying so."""
    return known is not None and not known.leg_ids and known.legs == (arrival.leg,)


def _meet(drafts: dict[Key, Change], arrival: Arrival) -> Outcome:
    draft = drafts[arrival.key]
    before = draft.legs
    draft.legs = meet_event(before, arrival.leg)
    if is_overfull(draft.legs):
        draft.legs = before
        return Outcome.OVERFULL
    return Outcome.DUPLICATE if set(draft.legs) == set(before) else Outcome.STORED
