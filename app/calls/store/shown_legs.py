"""Which legs of a call the log shows, and which of them speaks for the call. Pure.

Where the statistics show a call, their rows alone decide its facts, its sums and its operators. Where they
showed it once, the rows that are gone decide, as long as they are kept. A telling beside rows is a doubtful
leg: it is listed while the statistics may be behind, and does nothing else. So the deciding legs are the
same whether an event came before a row, after it, or after the row was corrected.
"""

from collections.abc import Iterable, Sequence

import msgspec

from app.calls.store.legs import Leg, Legs, order_of

ANSWERED = "200"
# How many of user, start and outcome must agree: the portal may have corrected one since the event.
_SAME_LEG = 2


class Shown(msgspec.Struct, frozen=True):
    """The legs of one call, deciding and doubtful; `leg`: the deciding one that speaks for the call."""

    leg: Leg
    deciding: Legs
    doubtful: Legs

    @property
    def is_confirmed(self) -> bool:
        """Whether the portal's statistics show the call."""
        return self.leg.is_confirmed

    @property
    def is_gone(self) -> bool:
        """Whether the portal's statistics showed the call once and show it no longer."""
        return self.leg.gone_at is not None


def show(legs: Legs) -> Shown:
    """Which of a call's stored legs (at least one) decide, and which are doubtful."""
    tellings = [best_telling(group) for group in _group([leg for leg in legs if leg.is_telling])]
    rows = [leg for leg in legs if leg.is_confirmed] or [leg for leg in legs if leg.gone_at is not None]
    if not rows:
        return Shown(_speaking(tellings), _in_order(tellings), ())
    doubtful = [one for one in tellings if not any(_may_be(row, one) for row in rows)]
    return Shown(_speaking(rows), _in_order(rows), _in_order(doubtful))


def forget_old(legs: Legs, before: int) -> Legs:
    """The legs without the rows that were gone before this moment, and without the tellings from before it if
    the call has rows.
    """
    is_shown = not all(leg.is_telling for leg in legs)
    return tuple(
        leg
        for leg in legs
        if (leg.gone_at is None or leg.gone_at >= before)
        and (leg.received_at >= before or not (is_shown and leg.is_telling))
    )


def sum_durations(shown: Shown) -> int | None:
    """The sum of the seconds of a confirmed call's rows; None if the call has one row only or is not
    confirmed, or if no row has a duration.
    """
    if len(shown.deciding) < 2 or not shown.is_confirmed:  # noqa: PLR2004  One leg is its own sum.
        return None
    durations = [leg.duration_s for leg in shown.deciding if leg.duration_s is not None]
    return sum(durations) if durations else None


def find_operators(shown: Shown) -> frozenset[int]:
    """The users of the other confirmed legs, without the user of `leg`: the call is theirs as well."""
    users = {leg.user_id for leg in shown.deciding if leg.is_confirmed and leg.user_id is not None}
    return frozenset(users - {shown.leg.user_id})


def best_telling(group: Sequence[Leg]) -> Leg:
    """The telling that is used when several tell of one leg, in any order of their arrival: an answered one
    before one that is not, then the longer one. If one of the tellings names a start, the result has that
    start.
    """
    best = max(group, key=lambda leg: (leg.code == ANSWERED, leg.duration_s or 0, order_of(leg)))
    starts = [leg.started_at for leg in group if not leg.is_start_guessed]
    received_at = min(leg.received_at for leg in group)
    if best.is_start_guessed and starts:
        best = msgspec.structs.replace(best, started_at=min(starts), is_start_guessed=False)
    return msgspec.structs.replace(best, received_at=received_at)


def _group(tellings: Sequence[Leg]) -> list[list[Leg]]:
    """The tellings by leg, which is one user and one start. A telling without a start joins the nearest leg
    of its user.
    """
    groups: dict[tuple[int | None, int], list[Leg]] = {}
    for leg in sorted(tellings, key=lambda leg: (leg.is_start_guessed, order_of(leg))):
        key = leg.user_id, leg.started_at
        if leg.is_start_guessed:
            of_user = [known for known in groups if known[0] == leg.user_id and not _is_guess(groups[known])]
            key = min(of_user, key=lambda known: (abs(known[1] - leg.started_at), known[1]), default=key)
        groups.setdefault(key, []).append(leg)
    return list(groups.values())


def _is_guess(group: Sequence[Leg]) -> bool:
    return all(leg.is_start_guessed for leg in group)


def _may_be(row: Leg, telling: Leg) -> bool:
    """Whether the row may be the leg of the telling, so that both need not be listed. Where the event names
    no start, or the start of the row cannot be read, only user, code and duration are compared.
    """
    is_guess = row.is_start_guessed or telling.is_start_guessed
    is_alike = (
        row.user_id == telling.user_id,
        not is_guess and row.started_at == telling.started_at,
        (row.code, row.duration_s) == (telling.code, telling.duration_s),
    )
    return sum(is_alike) >= _SAME_LEG


def _speaking(legs: Iterable[Leg]) -> Leg:
    """The answered leg, else the last one."""
    return max(legs, key=lambda leg: (leg.code == ANSWERED, order_of(leg)))


def _in_order(legs: Iterable[Leg]) -> Legs:
    return tuple(sorted(legs, key=order_of))
