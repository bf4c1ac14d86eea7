"""After any changes of a portal's statistics, and two quiet days, the log equals them, row for row.

The rows are older than a month and lie far below the mark, so only an audit can find their changes.
"""

import itertools
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bitrix24.rest.portal_client import BatchAnswer
from app.calls.statistics.fetch.range_requests import StatisticsRefusedError
from app.kit.storage.database import Database
from app.portals.model import Portal
from tests.calls.statistics.test_audit import DAY, World, make_world
from tests.running import FakeClock

OLD = 60 * DAY
USERS = (7, 12)
LAST_OLD = 60
FIRST_NEW = 500
KINDS = ("delete", "late", "rename", "restore", "new name", "cut", "day", "day")


class Fate:
    """Changes of the statistics, step by step, and at any request of a read."""

    def __init__(self, world: World, chance: Any) -> None:
        self.world, self.chance = world, chance
        self.names, self.next_id, self.highest_id = itertools.count(), FIRST_NEW, 0
        self.cut_at: dict[int, set[int | None]] = {}
        for one in range(1, LAST_OLD):
            self.add(one)
        self.end_with_everybody()
        self._batch, self._asked = world.access.batch, 0
        world.access.batch = self.answer  # type: ignore[method-assign]

    def add(self, statistics_id: int) -> None:
        self.highest_id = max(self.highest_id, statistics_id)
        started_at = self.world.clock.now() - OLD
        name = f"call.{next(self.names)}"
        user_id = USERS[statistics_id % 2]
        self.world.fill(
            range(statistics_id, statistics_id + 1), call_id=name, user_id=user_id, started_at=started_at
        )

    def end_with_everybody(self) -> None:
        """Add a last row of each user: then a row missing below it was deleted."""
        for _ in USERS:
            self.add(self.next_id)
            self.next_id += 1

    async def answer(self, portal: Portal, commands: Mapping[str, Any]) -> BatchAnswer:
        """Answer a request, which may see fewer rows, or none."""
        before = self.world.access.shown_users
        self.world.access.shown_users = self.cut_at.get(self._asked, before)
        self._asked += 1
        try:
            return await self._batch(portal, commands)
        finally:
            self.world.access.shown_users = before

    async def take(self, kind: str) -> None:
        if kind == "day":
            self._asked = 0
            self.cut_at = {self.chance.randrange(8): self.chance.choice([set(), {7}])}
            await self.live_a_day()
        else:
            self.change(kind)

    async def live_a_day(self) -> None:
        self.world.clock.advance(DAY)
        try:
            await self.world.read()
        except StatisticsRefusedError:
            self.cut_at = {}

    def change(self, kind: str) -> None:
        rows = self.world.access.rows
        old = [row for row in rows[2:] if row.id < FIRST_NEW]
        match kind:
            case "delete" if old:
                rows.remove(self.chance.choice(old))
            case "late":
                free = set(range(1, 2 * LAST_OLD)) - {row.id for row in rows}
                for one in self.chance.sample(sorted(free), self.chance.choice([1, 1, 20])):
                    self.add(one)
            case "rename" if old:
                self.chance.choice(old).call_id = f"renamed.{next(self.names)}"
            case "restore":
                kept = self.chance.randint(2, len(rows))
                self.next_id = rows[kept - 1].id + 1
                del rows[kept:]
                self.end_with_everybody()
            case "new name":
                for row in rows[self.chance.randrange(len(rows)) :]:
                    row.call_id = f"new_name.{next(self.names)}"
            case "cut":
                self.world.access.shown_users = None if self.world.access.shown_users else {7}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.sampled_from(KINDS), min_size=2, max_size=8),
    chance=st.randoms(use_true_random=False),
)
async def test_two_quiet_days_later_the_log_is_the_statistics_row_for_row(
    database: Database, clock: FakeClock, steps: list[str], chance: Any
) -> None:
    world = await make_world(database, clock)
    fate = Fate(world, chance)
    await world.read()
    for step in steps:
        await fate.take(step)
    fate.cut_at, world.access.shown_users = {}, None
    fate.next_id = max(fate.next_id, fate.highest_id + 1)
    fate.end_with_everybody()
    for _ in range(2):
        await fate.live_a_day()
    mark = await world.mark()
    assert await world.confirmed() == world.shown()
    assert (mark.complete_up_to is not None, mark.is_limited, mark.audit_offset) == (True, False, 0)


@pytest.mark.parametrize("kind", ["delete", "late", "rename", "new name"])
async def test_each_change_of_old_rows_is_found(database: Database, clock: FakeClock, kind: str) -> None:
    """Without an audit no change would be found: no read goes back that far."""
    world = await make_world(database, clock)
    fate = Fate(world, random.Random(kind))
    await world.read()
    fate.change(kind)
    changed = world.shown()
    assert await world.confirmed() != changed
    await fate.live_a_day()
    assert await world.confirmed() == changed
