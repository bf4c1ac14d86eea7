"""One database, SQLite or PostgreSQL, behind one interface."""

import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal
from urllib.parse import unquote, urlsplit

import asyncpg
from piccolo.table import Table

from app.kit.fairness.lanes import use_background
from app.kit.storage.light_commits import commit_lightly
from app.kit.storage.postgres_engine import PooledPostgresEngine
from app.kit.storage.sqlite_engine import KeptSQLiteEngine

Dialect = Literal["sqlite", "postgresql"]

# All errors of the drivers. asyncpg's InternalClientError is no fault of ours: asyncpg raises it on a
# connection whose end the server has announced but not carried out yet ("cannot switch to state 11; another
# operation (2) is in progress"). `is_away` and `is_refusal` tell the kinds apart.
DATABASE_ERRORS = (
    *(sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    *(OSError, TimeoutError),
)
# The database itself is away, full or locked, or the connection is ending: no value is to blame.
_AWAY = (
    *(OSError, TimeoutError, sqlite3.OperationalError, asyncpg.PostgresConnectionError),
    *(asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError),
    *(asyncpg.ReadOnlySQLTransactionError, asyncpg.InvalidAuthorizationSpecificationError),
    asyncpg.InternalClientError,
)
# A value is to blame: it is no text, too large, out of range or against a constraint. The last two are
# Python's own, for an integer of more than 64 bits and for a lone surrogate.
_REFUSALS = (
    *(sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError),
    *(asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError),
    *(OverflowError, UnicodeError),
)


def is_away(error: BaseException) -> bool:
    """Whether the database is to blame, and no value in the statement."""
    is_misuse = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
    return is_misuse or isinstance(error, _AWAY)


def is_refusal(error: BaseException) -> bool:
    """Whether a value in the statement is to blame, so that the same statement fails for ever."""
    is_unencodable = isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return is_unencodable or isinstance(error, _REFUSALS)


@asynccontextmanager
async def _be_patient(engine: KeptSQLiteEngine | PooledPostgresEngine) -> AsyncIterator[None]:
    if engine.current_transaction.get() is not None:
        yield
        return
    with use_background(), commit_lightly():
        async with engine.immediate_transaction():
            yield


def patiently(table: type[Table]) -> AbstractAsyncContextManager[None]:
    """A patient transaction (see `Database`) of the database that the table is bound to."""
    engine = table._meta.db  # noqa: SLF001  Piccolo has no public way to ask.
    assert isinstance(engine, KeptSQLiteEngine | PooledPostgresEngine)  # noqa: S101  `Database` bound it.
    return _be_patient(engine)


class DatabaseUrlError(ValueError):
    """DATABASE_URL has no known form; the message holds no password."""


class Database:
    """The database engine of this process; it hides the differences between SQLite and PostgreSQL."""

    def __init__(self, url: str, tables: Iterable[type[Table]] = ()) -> None:
        """Parse ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://…`` and bind the tables
        to it.
        """
        self.url = url
        self._tables = tuple(tables)
        self.dialect, self.engine = _make_engine(url)
        for table in self._tables:
            table._meta.db = self.engine  # noqa: SLF001  Piccolo has no public way to bind a table.

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite, the embedded default."""
        return self.dialect == "sqlite"

    async def open(self) -> None:
        """Open the kept connections or the pool."""
        await self.engine.open()

    async def close(self) -> None:
        """Close the connections."""
        await self.engine.close()

    def end_waits(self) -> None:
        """Raise TimeoutError in all requests that wait for a connection, because this process ends."""
        self.engine.stop_waiting()

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """A write transaction (immediate on SQLite). No HTTP call and no new task belongs inside."""
        return self.engine.immediate_transaction()

    def patient_transaction(self) -> AbstractAsyncContextManager[None]:
        """A transaction for one step of work that has many steps and can be repeated. The step takes a
        background turn, even in a request, so that events and users wait for one such step at most. Its
        commit is light.
        """
        return _be_patient(self.engine)

    def alone(self, number: int) -> AbstractAsyncContextManager[None]:
        """Hold the lock of this number while the context lasts; one process at a time has it. On SQLite it is
        a write transaction, on PostgreSQL an advisory lock outside of any transaction.
        """
        if isinstance(self.engine, KeptSQLiteEngine):
            return self.transaction()
        return self.engine.hold_lock(number)

    async def overwrite_deleted(self) -> bool:
        """Make deleted rows unreadable in the files too, as far as the database can. False when the caller
        must call again later.

        On SQLite, which overwrites freed bytes (`secure_delete`), this method empties SQLite's log; it
        returns False while a query reads from the log. On PostgreSQL it frees the bytes by VACUUM; it returns
        False while another VACUUM is under way or a table stays locked. Encrypting PostgreSQL's files is the
        operator's part (decision 0004).
        """
        if isinstance(self.engine, KeptSQLiteEngine):
            return await self.engine.empty_log()
        names = [table._meta.tablename for table in self._tables]  # noqa: SLF001  As above.
        return await self.engine.vacuum(names)

    async def run(self, sql: str, *args: object) -> list[dict[str, object]]:
        """Run one statement with the driver's own placeholders (``$1`` or ``?``); returns its rows."""
        rows = await (
            self._run_sqlite(sql, args)
            if isinstance(self.engine, KeptSQLiteEngine)
            else self._run_pg(sql, args)
        )
        return [dict(row) for row in rows]

    async def _run_sqlite(self, sql: str, args: tuple[object, ...]) -> list[dict[str, object]]:
        engine = self.engine
        assert isinstance(engine, KeptSQLiteEngine)  # noqa: S101  The caller has checked it.
        transaction = engine.current_transaction.get()
        if transaction is not None:
            return await engine._run_in_existing_connection(transaction.connection, sql, args)  # noqa: SLF001
        return await engine._run_in_new_connection(sql, args)  # noqa: SLF001  Ours: see sqlite_engine.

    async def _run_pg(self, sql: str, args: tuple[object, ...]) -> list[asyncpg.Record]:
        engine = self.engine
        assert isinstance(engine, PooledPostgresEngine)  # noqa: S101  The caller has checked it.
        transaction = engine.current_transaction.get()
        if transaction is None:
            return await engine._run_in_pool(sql, args)  # noqa: SLF001  Ours: see postgres_engine.
        rows: list[asyncpg.Record] = await transaction.connection.fetch(sql, *args)
        return rows


def _make_engine(url: str) -> tuple[Dialect, KeptSQLiteEngine | PooledPostgresEngine]:
    try:
        scheme = urlsplit(url).scheme
    except ValueError:  # Brackets without an address: its text would quote the password.
        scheme = ""
    if scheme == "sqlite" and url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return "sqlite", KeptSQLiteEngine(unquote(url.removeprefix("sqlite:///")))
    if scheme in {"postgresql", "postgres"}:
        return "postgresql", PooledPostgresEngine(url)
    raise DatabaseUrlError("DATABASE_URL must be sqlite:///relative, sqlite:////absolute or postgresql://…")
