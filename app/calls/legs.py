"""One call and its legs: what an event adds, what the statistics decide, which leg the log shows. Pure.

A leg is known by its start. A leg without a statistics id is provisional: an event told of it, and the
portal's statistics have not shown it yet. Whatever the order of the deliveries, the same legs come out.
"""

from collections.abc import Iterable, Sequence

import msgspec

from app.bitrix24.call_end import CallRecord
from app.bitrix24.statistics import StatisticsRecord
from app.kit.text import storable

ANSWERED = "200"
# Characters: every text of a call is cut to these, whoever tells it, so that all that is kept of one event is
# under 8 KiB. Bitrix24's own columns hold 255, but for a comment.
LONGEST_TEXT, LONGEST_REASON, LONGEST_COMMENT = 255, 500, 8_000
CUT = "…"
NEAR_S = 300  # So far apart an event and the statistics may date the same leg.
MOST_TOLD = 50  # Legs of one call that only events told of; every event of a call reads all of them.
MOST_SHOWN = 200  # Legs of one call that are rows of the statistics; each further row is a call of its own.
# What both an event and the statistics tell; the statistics' word counts, where they say anything. What is
# changed later (the activity, the card, a recording) is as they say, also where they say nothing.
_TOLD_BY_BOTH = (
    *("type", "phone_number", "portal_number", "user_id", "duration_s", "cost_e4", "currency"),
    *("code", "reason"),
)


class Leg(msgspec.Struct, frozen=True):
    """One leg as stored: texts are storable and cut, times Unix seconds, None is unknown.

    `is_start_guessed`: the event named no start, and `started_at` is ours until one is known.
    """

    type: int | None
    phone_number: str | None
    portal_number: str | None
    user_id: int | None
    started_at: int
    is_start_guessed: bool
    duration_s: int | None
    cost_e4: int | None
    currency: str | None
    code: str | None
    reason: str | None
    crm_activity_id: int | None
    received_at: int
    crm_entity_type: str | None = None
    crm_entity_id: int | None = None
    has_recording: bool = False
    has_transcript: bool = False
    vote: int | None = None
    comment: str | None = None
    statistics_id: int | None = None

    def __repr__(self) -> str:
        """No facts: a repr may reach a log, and they hold a phone number."""
        return f"Leg(statistics_id={self.statistics_id!r})"


Legs = tuple[Leg, ...]


def leg_of_event(record: CallRecord, received_at: int, fallback_started_at: int | None = None) -> Leg:
    """The provisional leg that a call-end event tells of; without a start it gets the fallback, else now."""
    guess = received_at if fallback_started_at is None else fallback_started_at
    return Leg(
        record.type,
        _stored(record.phone_number),
        _stored(record.portal_number),
        record.user_id,
        guess if record.started_at is None else record.started_at,
        record.started_at is None,
        record.duration_s,
        record.cost_e4,
        _stored(record.currency),
        _stored(record.code),
        _stored(record.reason, LONGEST_REASON),
        record.crm_activity_id,
        received_at,
    )


def leg_of_statistics(record: StatisticsRecord, read_at: int) -> Leg:
    """The leg that a row of the statistics is."""
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


def shown_leg(legs: Iterable[Leg]) -> Leg:
    """The leg whose facts the log shows for the call: the one that was answered, else the last."""
    return max(legs, key=lambda leg: (leg.code == ANSWERED, leg.started_at, leg.statistics_id or 0))


def meet_event(legs: Legs, told: Leg) -> Legs:
    """The legs after an event: a start that is known, or none, changes nothing; another is a further leg.

    An event without a start stands only until one with a start comes: it may be the same leg.
    """
    if not legs:
        return (told,)
    if told.is_start_guessed or any(_is_at(leg, told.started_at) for leg in legs):
        return legs
    return (*(leg for leg in legs if leg.statistics_id is not None or not leg.is_start_guessed), told)


def meet_statistics(legs: Legs, rows: Sequence[Leg]) -> Legs:
    """The legs after rows of the statistics: each becomes a leg, filled up with what the event alone told."""
    confirmed: dict[int | None, Leg] = {
        leg.statistics_id: leg for leg in legs if leg.statistics_id is not None
    }
    provisional = [leg for leg in legs if leg.statistics_id is None]
    for row in rows:
        known = confirmed.get(row.statistics_id) or _take_told(provisional, row)
        confirmed[row.statistics_id] = _fill_up(row, known) if known else row
    return (*confirmed.values(), *provisional)


def is_overfull(legs: Legs) -> bool:
    """Whether events told of more legs than a call may have; its statistics say which there were."""
    return sum(leg.statistics_id is None for leg in legs) > MOST_TOLD


def list_surplus(legs: Legs, rows: Sequence[Leg]) -> list[Leg]:
    """The rows of the statistics for which the call has no room: those that are new, the highest ids."""
    shown = {leg.statistics_id for leg in legs if leg.statistics_id is not None}
    new = sorted(
        (row for row in rows if row.statistics_id not in shown), key=lambda row: row.statistics_id or 0
    )
    return new[max(0, MOST_SHOWN - len(shown)) :]


def drop_disproved(legs: Legs, window_from: int, read_at: int, grace_s: int) -> Legs:
    """Without the provisional legs that a read from `window_from`, begun at `read_at`, should have shown.

    Only those that a row of the statistics explains, and only if the event came more than `grace_s` before:
    a row that is missing proves nothing, because each user is shown the rows that they may see.
    """
    rows = [leg for leg in legs if leg.statistics_id is not None]
    return tuple(
        leg
        for leg in legs
        if not (
            _should_be_shown(leg, window_from, read_at, grace_s) and any(_explains(row, leg) for row in rows)
        )
    )


def _should_be_shown(leg: Leg, window_from: int, read_at: int, grace_s: int) -> bool:
    is_old = leg.received_at < read_at - grace_s
    return leg.statistics_id is None and is_old and window_from <= leg.started_at <= read_at


def _explains(row: Leg, leg: Leg) -> bool:
    return _is_same_user(row, leg) and abs(row.started_at - leg.started_at) <= NEAR_S


def _is_same_user(one: Leg, other: Leg) -> bool:
    return one.user_id == other.user_id or one.user_id is None or other.user_id is None


def _is_at(leg: Leg, started_at: int) -> bool:
    return leg.started_at == started_at and not leg.is_start_guessed


def _take_told(provisional: list[Leg], row: Leg) -> Leg | None:
    """Take out the provisional leg that this row is, if an event told of it."""
    for leg in provisional:
        if _is_same_user(row, leg) and (leg.is_start_guessed or leg.started_at == row.started_at):
            provisional.remove(leg)
            return leg
    return None


def _fill_up(row: Leg, known: Leg) -> Leg:
    missing = {name: getattr(known, name) for name in _TOLD_BY_BOTH if getattr(row, name) is None}
    if row.is_start_guessed:
        missing |= {"started_at": known.started_at, "is_start_guessed": known.is_start_guessed}
    return msgspec.structs.replace(row, received_at=known.received_at, **missing)


def _stored(text: str | None, longest: int = LONGEST_TEXT) -> str | None:
    if text is None:
        return None
    return storable(text if len(text) <= longest else text[: longest - 1] + CUT)
