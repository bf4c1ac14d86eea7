"""How far back a forward read goes, because the portal may show rows out of the order of their ids. Pure.

A row may appear up to an hour later than a row with a higher id. If it appeared just after the last read,
that read has seen the higher id but not this row. So the next read goes back to where the mark stood an hour
before the last read, however long ago that was. The mark remembers where it stood at two moments that are an
hour apart, and at two that are a day apart, so that one of the two is always old enough.
"""

from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.read_schedule import DAY_S, HOUR_S

PERIODS = {"hour": HOUR_S, "day": DAY_S}


def stood_at(mark: Mark, now: int, *, is_full: bool) -> int:
    """Where the mark stood an hour before the last read or earlier (an id); for a full read, a day before."""
    name = "day" if is_full else "hour"
    last = now if mark.looked_at is None else min(mark.looked_at, now)
    is_old = last - getattr(mark, f"{name}_at") >= PERIODS[name]
    found: int = getattr(mark, f"{name}_id" if is_old else f"{name}_before_id")
    return found


def note_stand(mark: Mark, now: int, high_id: int) -> dict[str, object]:
    """The changes that make the mark remember a read up to `high_id`; {} while its notes are young."""
    changes: dict[str, object] = {}
    for name, period_s in PERIODS.items():
        if not 0 <= now - getattr(mark, f"{name}_at") < period_s:
            before = {f"{name}_before_id": getattr(mark, f"{name}_id")}
            changes |= before | {f"{name}_id": high_id, f"{name}_at": now}
    return changes


def first_stand(now: int, high_id: int) -> dict[str, object]:
    """The changes for a mark that begins at `high_id`; the history and its audit cover the ids below."""
    return {
        f"{name}_{part}": now if part == "at" else high_id
        for name in PERIODS
        for part in ("id", "at", "before_id")
    }
