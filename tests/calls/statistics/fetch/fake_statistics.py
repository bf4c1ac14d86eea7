"""A portal's statistics without HTTP, and all parts that a read of them needs."""

from collections.abc import Mapping
from typing import Any

from app.bitrix24.rest.portal_client import BatchAnswer, Command
from app.calls.log.logged_calls import Viewer, list_calls, list_legs
from app.calls.log.selection.filters import Filters, ListRequest
from app.calls.statistics.forward_read import SyncResult
from app.calls.statistics.progress.plan import PAGE_ROWS
from app.calls.statistics.read_turns import Histories
from app.demo.core.statistics import StatisticsRow, select_rows, sort_rows
from app.kit.storage.database import Database
from app.portals.model import Portal
from app.portals.news import Changes
from app.portals.settings.visible_users import EVERYONE
from tests.calls.stored_calls import read_calls, read_legs
from tests.running import FakeClock

HOUR = 3600


class FakeAccess:
    """Answers as a portal's statistics do, by the stand-in's own filters."""

    def __init__(self, *rows: StatisticsRow) -> None:
        self.rows = list(rows)
        self.requests: list[list[Mapping[str, Any]]] = []
        self.wire_changes: dict[str, Any] = {}
        self.audits = 0
        self.shown_users: set[int | None] | None = None

    async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
        self.requests.append([parameters for _, parameters in commands.values()])
        assert len(commands) <= 50
        assert {method for method, _ in commands.values()} == {"voximplant.statistic.get"}
        results = {name: self.answer(parameters) for name, (_, parameters) in commands.items()}
        counted = {name: parameters for name, (_, parameters) in commands.items() if not parameters["start"]}
        totals = {name: self.count(parameters) for name, parameters in counted.items()}
        if counted:
            self.requests.pop()
            self.audits += 1
        return BatchAnswer(
            results=results,
            errors={},
            totals=totals,
            nexts={},
            time={"date_start": "2026-11-23T10:00:00+01:00"},
        )

    def count(self, parameters: Mapping[str, Any]) -> int:
        """The portal's own total, for requests that ask for one."""
        return len(self.select(parameters))

    def select(self, parameters: Mapping[str, Any]) -> list[StatisticsRow]:
        """The rows that the owner of the token sees."""
        rows = select_rows(self.rows, parameters["FILTER"])
        return [row for row in rows if self.shown_users is None or row.user_id in self.shown_users]

    def answer(self, parameters: Mapping[str, Any]) -> Any:
        found = sort_rows(self.select(parameters), parameters["SORT"], parameters["ORDER"])
        return [row.to_wire(7200) | self.wire_changes for row in found[:PAGE_ROWS]]


class Reading:
    """All parts that a read needs, with one portal."""

    def __init__(self, database: Database, clock: FakeClock, changes: Changes, portal: Portal) -> None:
        self.database, self.clock, self.changes, self.portal = database, clock, changes, portal

    @property
    def started_at(self) -> int:
        return self.clock.now() - HOUR

    def make_row(self, number: int = 1, **changes: Any) -> StatisticsRow:
        fields: dict[str, Any] = {
            "id": number,
            "call_id": "call.1",
            "call_type": 2,
            "phone_number": "+12025550123",
            "portal_number": "reg133788",
            "user_id": 7,
            "started_at": self.started_at,
            "duration_s": 35,
        }
        return StatisticsRow(**(fields | changes))

    async def read(self, access: FakeAccess) -> SyncResult:
        return await Histories(access, self.database, self.clock, self.changes).catch_up(self.portal)

    async def calls(self) -> list[dict[str, Any]]:
        return await read_calls(self.database, self.portal.id)

    async def legs(self) -> list[tuple[object, object]]:
        rows = await read_legs(self.database, self.portal.id)
        return [(row["started_at"], row["statistics_id"]) for row in rows]

    async def shown(self) -> list[tuple[int, bool | None]]:
        """The start of each leg that the log lists for the one call, and whether the leg is confirmed."""
        viewer = Viewer(self.portal.id, 1, EVERYONE)
        (call,) = (await list_calls(viewer, ListRequest(Filters()))).calls
        return [(leg.started_at, leg.confirmed) for leg in (await list_legs(viewer, [call]))[call.id]]
