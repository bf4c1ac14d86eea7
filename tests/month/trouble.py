"""Trouble of the month: three crashes, a move, and answers that do not come or come broken."""

import asyncio
import contextlib
import random
from collections.abc import Collection
from functools import partial
from typing import Any, Literal

import httpx

from app.demo.core.faults import Gate
from tests.month.keeping import Keeper
from tests.month.life import MINUTE_S, Agenda, Deed, PortalLife
from tests.month.truth import DAY_S, HOUR_S

FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("batch", {"network": "drop"}),
    ("batch", {"network": "half"}),
    ("batch", {"network": "html"}),
    ("batch", {"network": "504"}),
    ("batch", {"code": "OPERATION_TIME_LIMIT", "status": 429}),
    ("voximplant.statistic.get", {"code": "INTERNAL_SERVER_ERROR", "status": 500}),
    ("voximplant.statistic.get", {"code": "OPERATION_TIME_LIMIT", "status": 429}),
    ("oauth.refresh", {"network": "drop"}),
    ("oauth.refresh", {"network": "drop_after"}),
)
CRASHES = ("at a batch", "at a refresh", "while storing")
KINDS = (*CRASHES, "move", "answers")


class Trouble:
    """Plans the trouble over the days, and notes the crashes."""

    def __init__(self, life: PortalLife, keeper: Keeper, agenda: Agenda, seed: int) -> None:
        self.crashes: list[str] = []
        self._life = life
        self._portal = life.portal
        self._keeper = keeper
        self._agenda = agenda
        self._chance = random.Random(seed)
        self._deadly: Gate | None = None

    def plan(self, kinds: Collection[str], begin: int, days: int) -> None:
        """Plan the trouble of these kinds: crashes and a move in business hours, faults at any time."""
        crashes: dict[str, Deed] = {
            "at a batch": lambda: self._crash_while_reading("batch"),
            "at a refresh": lambda: self._crash_while_reading("oauth.refresh"),
            "while storing": self._crash_while_storing,
        }
        gap_s = (days - 1) * DAY_S // len(CRASHES)  # Far apart, because the last crash has to happen first.
        for index, kind in enumerate(self._chance.sample(CRASHES, len(CRASHES))):
            at = begin + index * gap_s + 8 * HOUR_S + self._chance.randrange(gap_s // 2)
            if kind in kinds:
                self._agenda.plan(at, crashes[kind])
        if "move" in kinds:
            move_at = begin + self._chance.randrange(2, days - 1) * DAY_S + 7 * HOUR_S
            leaves_redirect = self._chance.random() < 0.5
            self._agenda.plan(move_at, lambda: self._portal.move(leaves_redirect=leaves_redirect))
        for operation, fault in FAULTS if "answers" in kinds else ():
            at = begin + self._chance.randrange(days * DAY_S)
            self._agenda.plan(at, partial(self._break, operation, fault))

    async def _break(self, operation: str, fault: dict[str, Any]) -> None:
        """Break the operation once, twice, or for some hours."""
        times = self._chance.choice((1, 2, None))
        rule = self._portal.stand_in.fail(operation, portal=self._portal, times=times, **fault)

        async def heal() -> None:
            rule.cancel()

        self._agenda.plan(self._portal.stand_in.clock.now() + self._chance.randrange(6 * HOUR_S), heal)

    async def take_turn(self) -> None:
        """Give the scheduler a turn."""
        await self._go_through(self._keeper.turn)

    async def visit(self) -> None:
        """Let an administrator open the app, if it is there, and wait for the end of the work that this
        causes.
        """
        if self._keeper.is_running:
            await self._go_through(self._open_page)

    async def _go_through(self, act: Deed) -> None:
        """Do the deed; if a crash is due, kill the process in the middle of it."""
        turn = asyncio.create_task(self._try(act))
        if self._deadly is not None:
            reached = asyncio.create_task(self._deadly.reached())
            await asyncio.wait({reached, turn}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            if not turn.done():
                await self._end(self._deadly)
        await turn

    async def _crash_while_reading(self, operation: str) -> None:
        """Kill the process at its next request of this operation, before or after the portal has done it."""
        if operation == "oauth.refresh":
            self._portal.expire_access_tokens()
        when: Literal["before", "after"] = "after" if self._chance.random() < 0.5 else "before"
        self._deadly = self._portal.stand_in.hold(operation, when=when, portal=self._portal)

    async def _end(self, gate: Gate) -> None:
        self._deadly = None
        await self._crash(f"{gate.when} {gate.operation}")
        gate.release()

    async def _crash(self, moment: str) -> None:
        await self._keeper.kill()
        self.crashes.append(moment)
        down_s = self._chance.choice((MINUTE_S, 5 * MINUTE_S, 3 * HOUR_S))
        self._agenda.plan(self._portal.stand_in.clock.now() + down_s, self._keeper.start)

    async def _crash_while_storing(self) -> None:
        """End many calls at once, and kill the process when the first of their events is answered."""
        calls = [asyncio.create_task(self._life.end_call()) for _ in range(20)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await self._crash("while storing")
        await asyncio.gather(*calls)

    async def _open_page(self) -> None:
        await self._portal.open_page()
        await self._keeper.let_end()

    async def _try(self, act: Deed) -> None:
        with contextlib.suppress(httpx.TransportError):  # The process may be killed during it.
            await act()
