"""`kill -9` at random moments: no acknowledged event is lost, no refresh token is, and no lease stays.

A `serve` with one portal reads a history, takes events on many connections and buys a new pair, until it is
killed. The next one goes on with the same database. `SEEDS` choose the moments.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.storage.database import Database
from tests.calls.statistics_rows import fill
from tests.commands.running import make_environment, run_command
from tests.databases import PostgresDatabases, SqliteDatabases
from tests.load import Load, Sender
from tests.roles.living import Role, aim, install, run_role
from tests.running import CLIENT_ID, CLIENT_SECRET

SEEDS = range(1, 6)
KILLS = 10
IN_FLIGHT = 32
MOST_EVENTS = 1_500  # A round is killed after so many at the latest.
HISTORY_ROWS = 5_000
LOST_ANSWERS = 0.3  # The share of rounds in which the answer to the refresh dies with the process.
LONGEST_LEASE_S = 300
LEASES = {
    "statistics_marks": "claimed_until",
    "uninstall_checks": "claimed_until",
    "pending_installations": "claimed_until",
    "portals": "refresh_lease_until",
    "leases": "expires_at",
}


class Life:
    """One database under one seed, and what was seen in it."""

    def __init__(self, database_url: str, stand_in: StandIn, folder: Path, seed: int) -> None:
        self.database_url, self.folder, self.seed = database_url, folder, seed
        self.stand_in, self.portal = stand_in, stand_in.portals[0]
        self.environment = make_environment(database_url, stand_in, LOG_LEVEL="error", PYTHONWARNINGS=None)
        self.chance = random.Random(seed)
        self.acknowledged: list[str] = []
        self.healed = 0  # How often an administrator's page replaced a pair whose answer was lost.

    async def run(self) -> list[str]:
        """Be killed ten times, then live on; the faults, each a sentence."""
        for number in range(KILLS):
            async with run_role("serve", self.environment, self.folder) as role:
                await self._begin(role, is_first=number == 0)
                await self._work_until_killed(role, number)
            await self._let_time_pass()
        async with run_role("serve", self.environment, self.folder) as role:
            await self._begin(role, is_first=False)
            self.portal.expire_access_tokens()
            synced = await run_command(self.environment, "portals", "sync", self.portal.member_id)
            code = await role.stop()
        faults = [] if synced.code == 0 else [f"sync failed: {synced.all[-300:]}"]
        faults += [] if code == 0 else [f"the last process ended with {code}"]
        return [*faults, *await self._find_faults()]

    async def _let_time_pass(self) -> None:
        """As though hours had passed: every lease has ended, and another pair may be bought."""
        await self._run_sql("UPDATE portals SET pair_bought_at = 0")
        for table, column in LEASES.items():
            await self._run_sql(f"UPDATE {table} SET {column} = {column} - {LONGEST_LEASE_S}")

    async def _begin(self, role: Role, *, is_first: bool) -> None:
        if is_first:
            await install(self.portal, role.url, self.database_url)
        aim(self.portal, role.url)
        (row,) = await self._run_sql("SELECT refresh_lease_id FROM portals")
        if row["refresh_lease_id"] is not None:  # The answer to a refresh was lost with the process.
            self.healed += 1
            assert (await self.portal.open_page("/")).status_code == httpx.codes.OK

    async def _work_until_killed(self, role: Role, number: int) -> None:
        """Take events, and judge a forged uninstall, for which the pair is tried and renewed."""
        prefix = f"{self.seed}.{number}"
        sender = Sender(self.portal.member_id, self.portal.application_token, prefix)
        load = Load(sender, IN_FLIGHT)
        running = asyncio.create_task(load.run("127.0.0.1", urlsplit(role.url).port or 0))
        self.portal.expire_access_tokens()
        gate = self.stand_in.hold("oauth.refresh") if self.chance.random() < LOST_ANSWERS else None
        forged = asyncio.create_task(self.portal.uninstall_event())
        if gate is not None:  # The new pair is bought, or another check of the portal is under way.
            buying = asyncio.create_task(gate.reached())
            await asyncio.wait({buying, forged}, return_when=asyncio.FIRST_COMPLETED)
            buying.cancel()
        await load.wait_for(self.chance.randint(1, MOST_EVENTS))
        await role.stop(signal.SIGKILL)
        if gate is not None:
            gate.release()
        self.acknowledged += (await running).acknowledged
        await asyncio.gather(forged, return_exceptions=True)

    async def _find_faults(self) -> list[str]:
        stored = Counter(str(row["call_id"]) for row in await self._run_sql("SELECT call_id FROM calls"))
        faults = []
        if lost := [call_id for call_id in self.acknowledged if stored[call_id] != 1]:
            faults.append(f"{len(lost)} of {len(self.acknowledged)} acknowledged events are not there once")
        if missing := {row.call_id for row in self.portal.state.statistics} - stored.keys():
            faults.append(f"{len(missing)} calls of the statistics are missing")
        (row,) = await self._run_sql("SELECT token_state, refresh_lease_id FROM portals")
        if (row["token_state"], row["refresh_lease_id"]) != ("ok", None):
            faults.append(f"the pair is not sound: {row}")
        for table, column in LEASES.items():
            held = await self._run_sql(f"SELECT 1 FROM {table} WHERE {column} > {int(time.time())}")
            faults += [f"{table} holds a lease that nobody has"] if held else []
        return faults

    async def _run_sql(self, sql: str) -> list[dict[str, Any]]:
        database = Database(self.database_url)
        await database.open()
        try:
            return await database.run(sql)
        finally:
            await database.close()

    def report(self, kind: str, faults: list[str]) -> None:
        """Print one plain line."""
        bought = self.stand_in.counts["oauth.refresh"]
        told = "; ".join(faults) or "nothing lost"
        print(
            f"{kind}, seed {self.seed}: {KILLS} kills, {len(self.acknowledged)} events acknowledged,"
            f" {bought} pairs bought, {self.healed} healed by a page: {told}",
            flush=True,
        )


async def live(kind: str, database_url: str, folder: Path, seed: int) -> bool:
    """One seed; whether nothing was wrong."""
    folder.mkdir()
    async with StandIn.serve(client_id=CLIENT_ID, client_secret=CLIENT_SECRET) as stand_in:
        prepare(stand_in.portals[0])
        life = Life(database_url, stand_in, folder, seed)
        faults = await life.run()
    life.report(kind, faults)
    return not faults


def prepare(portal: StandInPortal) -> None:
    """A portal with a history, whose app may be installed."""
    fill(portal, range(1, HISTORY_ROWS + 1))
    portal.add_app()


def run_killed(folder: Path) -> bool:
    """Every seed on both databases; print a last line, and return whether nothing was wrong."""
    (folder / "killed").mkdir()
    sqlite, postgres = SqliteDatabases(folder / "killed"), PostgresDatabases(folder / "postgres-killed")
    databases: Mapping[str, SqliteDatabases | PostgresDatabases] = {"sqlite": sqlite, "postgresql": postgres}
    results = []
    try:
        for seed in SEEDS:
            for kind, one in databases.items():
                logs = folder / f"{kind}-{seed}"
                results.append(asyncio.run(live(kind, one.create(), logs, seed)))
    finally:
        postgres.close()
    kills, faulty = KILLS * len(results), results.count(False)
    print(f"Killed {kills} times on two databases: {faulty} of {len(results)} lives have faults")
    return all(results)
