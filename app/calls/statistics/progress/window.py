"""How far back a forward read goes, by when the mark stood where: rows may become visible out of order. Pure.

A row may have become visible just after the last read, an hour after one with a higher id which that read has
passed. So a read goes back to where the mark stood an hour before the last one, however long that is ago. The
mark remembers where it stood at two moments of each kind, an hour or a day apart, so that one of them is
always old enough.
"""

from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.read_schedule import DAY_S, HOUR_S

PERIODS = {"hour": HOUR_S, "day": DAY_S}


def stood_at(mark: Mark, now: int, *, is_full: bool) -> int:
    """The id where the mark stood an hour before the last read or earlier; for a full read, a day before."""
    name = "day" if is_full else "hour"
    last = now if mark.looked_at is None else min(mark.looked_at, now)
    is_old = last - getattr(mark, f"{name}_at") >= PERIODS[name]
    found: int = getattr(mark, f"{name}_id" if is_old else f"{name}_before_id")
    return found


def note_stand(mark: Mark, now: int, high_id: int) -> dict[str, object]:
    """What the mark remembers after a read that took it to `high_id`; nothing while its note is young."""
    changes: dict[str, object] = {}
    for name, period_s in PERIODS.items():
        if not 0 <= now - getattr(mark, f"{name}_at") < period_s:
            before = {f"{name}_before_id": getattr(mark, f"{name}_id")}
            changes |= before | {f"{name}_id": high_id, f"{name}_at": now}
    return changes


def first_stand(now: int, high_id: int) -> dict[str, object]:
    """What a mark remembers that begins at `high_id`: the history and its audit cover what lies below."""
    return {
        f"{name}_{part}": now if part == "at" else high_id
        for name in PERIODS
        for part in ("id", "at", "before_id")
    }
