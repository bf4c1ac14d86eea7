"""Which legs of a call the log shows, and which of them speaks for the call. Pure.

Where the statistics show a call, they alone decide its facts, its sums and who took it. A telling that no row
explains is a leg of doubt beside them: listed while the statistics may be behind, and never more than that.
"""

from collections.abc import Iterable, Sequence

import msgspec

from app.calls.legs import EXPLAINS, Leg, Legs, fill, order_of

ANSWERED = "200"
NEAR_S = 300  # So far apart an event and the statistics may date the same leg.


class Shown(msgspec.Struct, frozen=True):
    """The legs of one call: those that decide, of which `leg` speaks for the call, and those in doubt."""

    leg: Leg
    deciding: Legs
    doubtful: Legs

    @property
    def is_confirmed(self) -> bool:
        """Whether the portal's statistics show the call."""
        return self.leg.is_confirmed


def show(legs: Legs) -> Shown:
    """What the stored legs of a call, one at least, amount to."""
    rows = [leg for leg in legs if leg.is_confirmed]
    partners, doubtful = _pair(rows, legs)
    if rows:
        deciding = [
            msgspec.structs.replace(row, **fill(row, partners.get(row.statistics_id, []))) for row in rows
        ]
        return Shown(_speaking(deciding), _in_order(deciding), _in_order(map(best_telling, doubtful)))
    deciding = [*(leg for leg in legs if leg.gone_at is not None), *map(best_telling, doubtful)]
    return Shown(_speaking(deciding), _in_order(deciding), ())


def forget_old(legs: Legs, before: int) -> Legs:
    """The legs without the rows that were gone before this moment, and, beside confirmed legs, without the
    doubtful ones of which events told before it.
    """
    rows = [leg for leg in legs if leg.is_confirmed]
    doubted = [leg for group in _pair(rows, legs)[1] for leg in group] if rows else []
    return tuple(
        leg
        for leg in legs
        if (leg.gone_at is None or leg.gone_at >= before)
        and (leg.received_at >= before or leg not in doubted)
    )


def sum_rows(shown: Shown) -> tuple[int | None, int | None]:
    """Seconds and ten-thousandths of the shown currency that the rows of the call add up to; None for both
    where one leg speaks for all.
    """
    if len(shown.deciding) < 2 or not shown.is_confirmed:  # noqa: PLR2004  One adds up to itself.
        return None, None
    durations = [leg.duration_s for leg in shown.deciding if leg.duration_s is not None]
    costs = [
        leg.cost_e4
        for leg in shown.deciding
        if leg.cost_e4 is not None and leg.currency == shown.leg.currency
    ]
    return sum(durations) if durations else None, sum(costs) if costs else None


def find_operators(shown: Shown) -> frozenset[int]:
    """The users of confirmed legs beside the one that speaks for the call: it is theirs as well."""
    users = {leg.user_id for leg in shown.deciding if leg.is_confirmed and leg.user_id is not None}
    return frozenset(users - {shown.leg.user_id})


def best_telling(group: Sequence[Leg]) -> Leg:
    """Of several tellings of one leg the one that counts, whatever their order: answered before not, longer
    before shorter. A start that one of them knows is theirs all.
    """
    best = max(group, key=lambda leg: (leg.code == ANSWERED, leg.duration_s or 0, order_of(leg)))
    starts = [leg.started_at for leg in group if not leg.is_start_guessed]
    received_at = min(leg.received_at for leg in group)
    if best.is_start_guessed and starts:
        best = msgspec.structs.replace(best, started_at=min(starts), is_start_guessed=False)
    return msgspec.structs.replace(best, received_at=received_at)


def _pair(rows: Sequence[Leg], legs: Legs) -> tuple[dict[int | None, list[Leg]], list[list[Leg]]]:
    """The tellings that each row explains, and the groups that none does."""
    groups = _group([leg for leg in legs if leg.is_telling])
    partners = _explain(rows, groups)
    return partners, [group for group in groups if group not in partners.values()]


def _group(tellings: Sequence[Leg]) -> list[list[Leg]]:
    """Tellings of one leg: of one user and one start. One without a start joins its user's nearest."""
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


def _explain(rows: Sequence[Leg], groups: Sequence[list[Leg]]) -> dict[int | None, list[Leg]]:
    """Which tellings each row explains: one row one leg of them, the likeliest pairs first."""
    pairs = [
        (rank, row.statistics_id or 0, index)
        for row in rows
        for index, group in enumerate(groups)
        if (rank := _likeness(row, group[0])) is not None
    ]
    found: dict[int | None, list[Leg]] = {}
    taken: set[int] = set()
    for _, statistics_id, index in sorted(pairs):
        if statistics_id not in found and index not in taken:
            found[statistics_id] = groups[index]
            taken.add(index)
    return found


def _likeness(row: Leg, telling: Leg) -> tuple[int, int] | None:
    """How unlike a row and a telling are; None if they are not of one leg.

    User, start or code may have been corrected between the event and the row.
    """
    apart_s = abs(row.started_at - telling.started_at)
    if row.told & EXPLAINS and not _says_the_same(row, telling):
        return None
    if row.user_id == telling.user_id and (telling.is_start_guessed or row.is_start_guessed):
        return 0, apart_s
    if apart_s == 0:
        return (1 if None in {row.user_id, telling.user_id} else 3), 0
    return (2, apart_s) if row.user_id == telling.user_id and apart_s <= NEAR_S else None


def _says_the_same(row: Leg, telling: Leg) -> bool:
    """Whether an event without a start tells what the row tells: then it may repeat the row's own."""
    is_alike = (row.code, row.duration_s) == (telling.code, telling.duration_s)
    return telling.is_start_guessed and row.user_id == telling.user_id and is_alike


def _speaking(legs: Iterable[Leg]) -> Leg:
    """The leg that was answered, else the last."""
    return max(legs, key=lambda leg: (leg.code == ANSWERED, order_of(leg)))


def _in_order(legs: Iterable[Leg]) -> Legs:
    return tuple(sorted(legs, key=order_of))
