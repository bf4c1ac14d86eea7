"""What every test may use: a fresh database of either kind, the stand-in for Bitrix24, Callbook running
beside it.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from app.demo.stand_in import StandIn
from app.portals.budget import Limits
from tests.databases import PostgresDatabases, SqliteDatabases
from tests.running import CLIENT_ID, CLIENT_SECRET, Callbook, FakeClock, run_callbook

GENEROUS = Limits(1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000)


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresDatabases]:
    databases = PostgresDatabases(tmp_path_factory.mktemp("postgres"))
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
        yield served


@pytest.fixture
async def callbook(database_url: str, stand_in: StandIn, clock: FakeClock) -> AsyncIterator[Callbook]:
    """Callbook on either database; its limits are out of the way."""
    async with run_callbook(database_url, stand_in, clock, GENEROUS) as running:
        yield running
