"""Fixtures for every test: a fresh database of either kind, the stand-in for Bitrix24, Callbook running
beside it.
"""

import time
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.demo.core.bucket import Bucket
from app.demo.stand_in import StandIn
from app.kit.storage.database import Database
from app.portals.news import Changes
from tests.databases import PostgresDatabases, SqliteDatabases
from tests.quick import mark_quick
from tests.running import CLIENT_ID, CLIENT_SECRET, Callbook, FakeClock, limit_questions, run_callbook
from tests.waits import add_waits

HURRY = (
    100  # The portals' buckets drain so much faster, on both sides: no test waits for two requests a second.
)
GENEROUS = limit_questions(1_000_000, installations=1_000_000)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests before pytest itself chooses by markers."""
    mark_quick(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that was ended because it hung shows where its tasks wait: its traceback ends in the loop."""
    report = yield
    if call.excinfo is not None and "from pytest-timeout" in str(call.excinfo.value):
        add_waits(item, report)
    return report


class HurriedClock:
    def now(self) -> int:
        return int(time.monotonic() * HURRY)


@pytest.fixture(scope="session")
def database_folder() -> Iterator[Path]:
    """A folder for databases. It is not one of pytest's own, of which another run beside this one would
    delete all but the newest.
    """
    with TemporaryDirectory(prefix="callbook-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def sqlite_databases(database_folder: Path) -> SqliteDatabases:
    folder = database_folder / "sqlite"
    folder.mkdir()
    return SqliteDatabases(folder)


@pytest.fixture(scope="session")
def postgres_databases(database_folder: Path) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(database_folder / "postgres")
    yield databases
    databases.close()


@pytest.fixture
def sqlite_url(sqlite_databases: SqliteDatabases) -> Iterator[str]:
    url = sqlite_databases.create()
    yield url
    sqlite_databases.drop(url)


@pytest.fixture
def postgres_url(postgres_databases: PostgresDatabases) -> Iterator[str]:
    url = postgres_databases.create()
    yield url
    postgres_databases.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of each kind in turn."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def stand_in(clock: FakeClock) -> AsyncIterator[StandIn]:
    async with StandIn.serve(
        portals=2, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, clock=clock
    ) as served:
        for portal in served.portals:
            portal.bucket = Bucket(lambda: time.monotonic() * HURRY)
        yield served


@pytest.fixture
async def callbook(database_url: str, stand_in: StandIn, clock: FakeClock) -> AsyncIterator[Callbook]:
    """Callbook on either database, with limits that no test reaches."""
    async with run_callbook(database_url, stand_in, clock, GENEROUS, rate_clock=HurriedClock()) as running:
        yield running


@pytest.fixture
async def listener(database_url: str, callbook: Callbook) -> AsyncIterator[Changes]:
    """The news of the running Callbook as another process hears them."""
    database = Database(database_url)
    await database.open()
    changes = Changes(database)
    await changes.start()
    await changes.listening.wait()
    yield changes
    await changes.stop()
    await database.close()
