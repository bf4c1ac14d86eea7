"""The stored legs of a call: rows of the portal's statistics, and legs that only events told. Pure.

- A row of the statistics is a leg, with its id there. It is confirmed until a read shows that it is gone. It
  has all facts of its leg and takes none from an event: the portal makes its events from its rows, and any
  user of a portal can forge an event.
- A telling is a leg that one call-end event told. It is kept until there is a row of the same user and the
  same start, so that no acknowledged event is lost before the statistics show its call.
- A former row has lost its id to the row of another call; it is marked as gone.

`app.calls.store.shown_legs` says which legs the log shows.
"""

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from app.bitrix24.incoming.call_end import CallRecord
from app.bitrix24.incoming.statistics import StatisticsRecord
from app.kit.text import storable

# Characters. Every text of a call is cut to these lengths, so that an event takes less than 8 KiB. Bitrix24's
# own columns hold 255, but for a comment.
LONGEST_TEXT, LONGEST_REASON, LONGEST_COMMENT = 255, 500, 8_000
CUT = "…"
MOST_TOLD = 20  # Tellings of one call; every event of a call reads all of them.
MOST_SHOWN = 50  # Legs of one call that are rows of the statistics; each further row is a call of its own.


class CallFields(msgspec.Struct, frozen=True, kw_only=True):
    """The one list of the fields of a leg, and so of the call for which it speaks; None: unknown.

    Times are Unix seconds, `cost_e4` ten-thousandths of `currency`. A field that no event tells has a
    default. Statements, sizes and reading follow this list by name. Tests (`test_fields.py`) check that the
    tables, the API, the exports and the panel have each of the fields.
    """

    type: int | None
    phone_number: str | None
    portal_number: str | None
    user_id: int | None
    started_at: int
    duration_s: int | None
    cost_e4: int | None
    currency: str | None
    code: str | None
    reason: str | None
    crm_activity_id: int | None
    crm_entity_type: str | None = None
    crm_entity_id: int | None = None
    has_recording: bool = False
    has_transcript: bool = False
    vote: int | None = None
    comment: str | None = None


_FIELDS = msgspec.structs.fields(CallFields)
CALL_FIELDS = tuple(field.name for field in _FIELDS)
TEXT_FIELDS = tuple(field.name for field in _FIELDS if field.type == str | None)
FLAG_FIELDS = tuple(field.name for field in _FIELDS if field.type is bool)
_TOLD = tuple(name for name in CALL_FIELDS if name in CallRecord.__struct_fields__)


class Leg(CallFields, frozen=True, kw_only=True):
    """One leg as stored: texts are storable and cut.

    `is_start_guessed`: the event named no start, and `started_at` is our guess. `lacked_at`: since when reads
    lack this row, perhaps because the owner of our token may not see it. `gone_at`: since when it is known to
    be deleted.
    """

    is_start_guessed: bool
    received_at: int
    statistics_id: int | None = None
    gone_at: int | None = None
    lacked_at: int | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether the portal's statistics show this leg."""
        return self.statistics_id is not None and self.gone_at is None

    @property
    def is_telling(self) -> bool:
        """Whether only an event told of this leg."""
        return self.statistics_id is None and self.gone_at is None

    def __repr__(self) -> str:
        """Names no facts: a repr may reach a log, and they hold a phone number."""
        return f"Leg(statistics_id={self.statistics_id!r})"


Legs = tuple[Leg, ...]

# The fields of a leg that came by an event; only the statistics know the others.
TOLD_FIELDS = (*_TOLD, "is_start_guessed", "received_at")
# The user comes first: among tellings with the same start, `order_of` sorts by it.
_content = attrgetter("user_id", *(name for name in _TOLD if name not in {"user_id", "started_at"}))


def leg_of_event(record: CallRecord, received_at: int, fallback_started_at: int | None = None) -> Leg:
    """The telling of a call-end event; without a start it has the fallback, else the time of its arrival."""
    guess = received_at if fallback_started_at is None else fallback_started_at
    return Leg(
        type=record.type,
        phone_number=_stored(record.phone_number),
        portal_number=_stored(record.portal_number),
        user_id=record.user_id,
        started_at=guess if record.started_at is None else record.started_at,
        is_start_guessed=record.started_at is None,
        duration_s=record.duration_s,
        cost_e4=record.cost_e4,
        currency=_stored(record.currency),
        code=_stored(record.code),
        reason=_stored(record.reason, LONGEST_REASON),
        crm_activity_id=record.crm_activity_id,
        received_at=received_at,
    )


def leg_of_statistics(record: StatisticsRecord, read_at: int) -> Leg:
    """The leg of a row of the statistics."""
    return msgspec.structs.replace(
        leg_of_event(record, read_at),
        crm_entity_type=_stored(record.crm_entity_type),
        crm_entity_id=record.crm_entity_id,
        has_recording=record.has_recording,
        has_transcript=record.has_transcript,
        vote=record.vote,
        comment=_stored(record.comment, LONGEST_COMMENT),
        statistics_id=record.statistics_id,
    )


def meet_event(legs: Legs, told: Leg) -> Legs:
    """The legs after an event; unchanged when all of it is known."""
    return _settle((*legs, told))


def meet_statistics(legs: Legs, rows: Sequence[Leg]) -> Legs:
    """The legs after rows of the statistics. When a row loses a fact, its leg loses that fact too."""
    known: dict[int | None, Leg] = {leg.statistics_id: leg for leg in legs if leg.statistics_id is not None}
    rest = [leg for leg in legs if leg.statistics_id is None]
    for row in rows:
        before = known.get(row.statistics_id)
        known[row.statistics_id] = row if before is None else _replace_row(before, row)
    return _settle((*known.values(), *rest))


def is_overfull(legs: Legs) -> bool:
    """Whether a call has more different tellings than are kept."""
    return sum(leg.is_telling for leg in legs) > MOST_TOLD


def list_surplus(legs: Legs, rows: Sequence[Leg]) -> list[Leg]:
    """The rows of the statistics for which the call has no room: the highest ids among the new ones."""
    shown = {leg.statistics_id for leg in legs if leg.statistics_id is not None}
    new = sorted(
        (row for row in rows if row.statistics_id not in shown), key=lambda row: row.statistics_id or 0
    )
    return new[max(0, MOST_SHOWN - len(shown)) :]


def mark_lacked(legs: Legs, statistics_ids: frozenset[int], at: int) -> Legs:
    """The legs after a read that lacked these rows, for a reason that is not known yet."""
    return tuple(
        msgspec.structs.replace(leg, lacked_at=at)
        if leg.is_confirmed and leg.lacked_at is None and leg.statistics_id in statistics_ids
        else leg
        for leg in legs
    )


def mark_gone(legs: Legs, statistics_ids: frozenset[int], at: int) -> Legs:
    """The legs after a read has shown that these rows are deleted."""
    return tuple(
        msgspec.structs.replace(leg, gone_at=at, lacked_at=None)
        if leg.is_confirmed and leg.statistics_id in statistics_ids
        else leg
        for leg in legs
    )


def give_up_ids(legs: Legs, statistics_ids: frozenset[int], at: int) -> Legs:
    """The legs after rows of another call have taken these ids."""
    return _settle(
        tuple(
            msgspec.structs.replace(leg, statistics_id=None, gone_at=leg.gone_at or at)
            if leg.statistics_id in statistics_ids
            else leg
            for leg in legs
        )
    )


def same_leg(one: Leg, other: Leg) -> bool:
    """Whether both name the same user and the same start."""
    is_known = not (one.is_start_guessed or other.is_start_guessed)
    return is_known and one.user_id == other.user_id and one.started_at == other.started_at


def _settle(legs: Legs) -> Legs:
    """All rows; then the tellings and former rows, except those that are the same leg as a row. No leg comes
    twice. The order depends on the legs alone, not on the order in which they came.
    """
    rows = [leg for leg in legs if leg.statistics_id is not None]
    rest: dict[tuple[object, ...], Leg] = {}
    for leg in legs:
        if leg.statistics_id is None and not any(same_leg(row, leg) for row in rows):
            key = _content_of(leg)
            rest[key] = min(leg, rest.get(key, leg), key=lambda one: (one.received_at, one.started_at))
    return (*sorted(rows, key=order_of), *sorted(rest.values(), key=order_of))


def order_of(leg: Leg) -> tuple[object, ...]:
    """A total order: by start, by id, then by all other fields."""
    return leg.started_at, leg.statistics_id or 0, msgspec.json.encode(_content_of(leg)), leg.received_at


def _content_of(leg: Leg) -> tuple[object, ...]:
    """All facts that an event tells, and whether the leg is gone; a start that we guessed is no fact."""
    start = None if leg.is_start_guessed else leg.started_at
    return (leg.gone_at is not None, start, *_content(leg))


def _replace_row(before: Leg, row: Leg) -> Leg:
    """The row as it is now; if its start cannot be read, it keeps the start that it had."""
    kept: dict[str, object] = {}
    if row.is_start_guessed:
        kept = {"started_at": before.started_at, "is_start_guessed": before.is_start_guessed}
    return msgspec.structs.replace(row, received_at=before.received_at, **kept)


def _stored(text: str | None, longest: int = LONGEST_TEXT) -> str | None:
    if text is None:
        return None
    return storable(text if len(text) <= longest else text[: longest - 1] + CUT)
