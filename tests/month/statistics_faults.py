"""Faults of the statistics: rows that come late, change their CALL_ID or go, ids that are given again, rights
that are cut, and forged events.
"""

import random
from collections.abc import Callable, Collection

from app.demo.acts.calls import record_call
from app.demo.acts.events import call_end_posts
from app.demo.core.statistics import StatisticsRow, format_time
from tests.month.life import MINUTE_S, Agenda, Deed, PortalLife
from tests.month.truth import DAY_S, HOUR_S

IMPORTED = 260  # More than the ids below its mark that each read looks at again.
IMPORTED_LATE = 60  # Some of the first ones become visible late.
# The time without calls before an import, so that no recent call keeps the window of reads open.
HOLIDAY_S = 60 * HOUR_S
# The time without faults before the end, so that an audit and later rows of all users can reveal them.
SETTLED_S = 4 * DAY_S
# No more ids than come again before the end. A row beyond them all counts as hidden, and confirmed, until its
# user has one with a higher id (decision 0014): for weeks, if a portal lost as many as an import brings.
MOST_LOST = 50
RECENT_S = 10 * DAY_S
# The importing user looks at the result three times.
IMPORT_VISITS_S = (2 * MINUTE_S, 90 * MINUTE_S, 6 * HOUR_S)
OLD = 150  # Rows older than any window of a read.
OLD_LATE = 0.15
KINDS = ("old", "import", "renamed", "removed", "ids again", "rights", "forged")


class StatisticsFaults:
    """Plans these faults, and keeps the truth up to date."""

    def __init__(self, life: PortalLife, agenda: Agenda, seed: int, visit: Deed, check: Deed) -> None:
        self._life, self._agenda, self._visit, self._check = life, agenda, visit, check
        self._portal = life.portal
        self._rows = life.portal.state.statistics
        self._chance = random.Random(f"rewriting {seed}")
        self._old_to = 0

    def lay_old(self, kinds: Collection[str], days: int) -> None:
        """Write calls of months ago, the first in the statistics, of which some become visible later: only
        the audit looks there.
        """
        for _ in range(OLD if "old" in kinds else 0):
            late_s = self._chance.randrange(DAY_S, days * DAY_S) if self._chance.random() < OLD_LATE else 0
            call = self._life.caller.next_call(
                self._agenda.clock.now() - self._chance.randrange(50, 90) * DAY_S
            )
            rows = record_call(self._portal, call, {"visible_after_s": late_s})
            self._life.note_rows(rows, late_s)
            self._old_to = rows[-1].id

    def plan(self, kinds: Collection[str], begin: int, days: int) -> None:
        """Plan the faults of these kinds, each at times of its own."""
        until = begin + days * DAY_S - min(SETTLED_S, days * DAY_S // 3)
        plans: dict[str, Callable[[], None]] = {
            "import": lambda: self._plan_import(
                begin + self._chance.randrange(DAY_S, until - begin - HOLIDAY_S)
            ),
            "renamed": lambda: self._plan_often(8, begin, until, self.rename),
            "removed": lambda: self._plan_often(8, begin, until, self.remove),
            "ids again": lambda: self._plan_often(1, begin + DAY_S, until, self.give_ids_again),
            "rights": lambda: self._plan_often(2, begin + DAY_S, until, self.cut_rights),
            "forged": lambda: self._plan_often(12, begin, until, self.forge),
        }
        for kind, plan in plans.items():
            if kind in kinds:
                plan()

    def _plan_often(self, times: int, begin: int, until: int, deed: Deed) -> None:
        for _ in range(times):
            self._agenda.plan(self._chance.randrange(begin, until), deed)

    def _plan_import(self, begin: int) -> None:
        at = begin + HOLIDAY_S
        self._life.holiday = range(begin, at + 8 * HOUR_S)
        self._agenda.plan(at, self.import_rows)
        for later_s in IMPORT_VISITS_S:
            self._agenda.plan(at + later_s, self._visit)
            self._agenda.plan(at + later_s + MINUTE_S, self._check)

    async def import_rows(self) -> None:
        """Write calls of weeks ago, many at once and without events, of which some become visible late."""
        now = self._agenda.clock.now()
        for index in range(IMPORTED):
            is_late = index < IMPORTED_LATE and self._chance.random() < 0.5
            late_s = self._chance.choice((20 * MINUTE_S, 50 * MINUTE_S, 5 * HOUR_S)) if is_late else 0
            call = self._life.caller.next_call(now - self._chance.randrange(3 * DAY_S, 40 * DAY_S))
            self._life.note_rows(record_call(self._portal, call, {"visible_after_s": late_s}), late_s)
        self._life.counts["imported"] += IMPORTED

    async def rename(self) -> None:
        """Give a row another CALL_ID."""
        row = self._pick(RECENT_S)
        former, row.call_id = row.call_id, f"{row.call_id}.renamed.{row.id}"
        is_hidden = row.user_id != self._portal.admin.id
        at = max(self._agenda.clock.now(), self._life.hidden_until if is_hidden else 0)
        self._life.truth.note_renamed(row, former, at)
        self._life.counts["renamed"] += 1

    async def remove(self) -> None:
        """Delete a row, any recent one or the very last."""
        row = self._rows[-1] if self._chance.random() < 0.2 else self._pick(RECENT_S)
        if row.user_id not in {one.user_id for one in self._rows if one.id < row.id}:
            return  # The row would seem to be hidden for ever.
        self._rows[:] = [one for one in self._rows if one is not row]
        self._life.counts["removed"] += 1

    async def give_ids_again(self) -> None:
        """Restore the portal from a backup: its last rows are gone, and the next rows get their ids."""
        backup_at = self._agenda.clock.now() - self._chance.randrange(6 * HOUR_S, 3 * DAY_S)
        held = sum(self._life.truth.made_at[row.id] <= backup_at for row in self._rows)
        kept = self._rows[: max(held, len(self._rows) - MOST_LOST)]
        self._life.counts["given again"] += len(self._rows) - len(kept)
        self._rows[:] = kept

    async def cut_rights(self) -> None:
        """Hide the rows of other users from the owner of the token for some hours, then show all again."""
        now, admin = self._agenda.clock.now(), self._portal.admin
        until = now + self._chance.randrange(HOUR_S, 30 * HOUR_S)
        admin.statistics_right = "own"
        self._life.hidden_until = until
        others = [row for row in self._rows if row.user_id != admin.id]
        self._life.truth.cut(others, now - DAY_S, until)
        self._life.counts["rights cut"] += 1

        async def give_back() -> None:
            admin.statistics_right = "all"

        self._agenda.plan(until, give_back)

    async def forge(self) -> None:
        """Send an event of a known call, forged by a user of the portal, with another start or another
        CALL_ID.
        """
        row = self._pick(5 * DAY_S)
        told: dict[str, str | None] = {"CALL_FAILED_CODE": "200", "CALL_DURATION": "4000", "COST": "99.5"}
        moved_s = self._chance.choice((0, 1, 2)) * HOUR_S
        told["CALL_START_DATE"] = format_time(row.started_at + moved_s, self._portal.state.utc_offset_s)
        if not moved_s or self._chance.random() < 0.5:
            told["PORTAL_USER_ID"] = str(18 if row.user_id != 18 else 14)
        for post in call_end_posts(self._portal, [row], with_user=True, data=told):
            await self._life.deliver(post)
        self._life.counts["forged"] += 1

    def _pick(self, within_s: int) -> StatisticsRow:
        since = self._agenda.clock.now() - within_s
        recent = [row for row in self._rows if self._life.truth.made_at[row.id] >= since]
        return self._chance.choice([row for row in recent if row.id > self._old_to] or self._rows)
