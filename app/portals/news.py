"""News of a portal wakes those that wait for it: in this process at once, in others through the database.

Waiting is level-triggered: a waiter that wakes reads again. One wake too many costs one read, and no news is
lost.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable

import asyncpg
import structlog

from app.kit.storage.database import DATABASE_ERRORS, Database
from app.portals.news_queries import ALL, CHANNEL, beat, notify

POLL_S = 1.0  # SQLite: how soon another process (the command line) is noticed.
HEARTBEAT_S = 30.0  # PostgreSQL: how soon a connection that died silently is noticed.
FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
log = structlog.get_logger(__name__)


class Watch:
    """One waiter for the news of one portal."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    async def wait(self) -> None:
        """Return as soon as there has been news since the watch began, or since the last return."""
        await self._news.wait()
        self._news.clear()

    @property
    def has_news(self) -> bool:
        """Whether `wait` would return at once."""
        return self._news.is_set()

    def wake(self) -> None:
        """Let `wait` return."""
        self._news.set()


class Changes:
    """Announcements of changed portals; call `start` and `stop` in the loop that uses them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watches: dict[int, set[Watch]] = {}
        self._task: asyncio.Task[None] | None = None
        self._data_version: object = None
        self.prefix = secrets.token_hex(4) + ":"  # A process knows its own notifications by it.
        self.listening = asyncio.Event()  # Set while this process hears the others.

    @property
    def is_polling(self) -> bool:
        """Whether this process looks each second for changes of others: SQLite sends no notifications."""
        return self._database.is_sqlite

    def announce(self, portal_id: int) -> None:
        """Wake all watches of the portal in this process."""
        for watch in self._watches.get(portal_id, ()):
            watch.wake()

    def announce_all(self) -> None:
        """Wake all watches in this process, because some news may have been missed."""
        for portal_id in self._watches:
            self.announce(portal_id)

    @contextlib.asynccontextmanager
    async def watch(self, portal_id: int) -> AsyncIterator[Watch]:
        """A watch of the portal; a caller that reads on entry and after each `wait` misses nothing."""
        watch = Watch()
        self._watches.setdefault(portal_id, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[portal_id]
            watches.discard(watch)
            if not watches:
                del self._watches[portal_id]

    async def notify(self, database: Database, portal_ids: Iterable[int]) -> None:
        """Tell the other processes that these portals changed; in a transaction they hear it at the commit.

        This process does not hear it: the caller calls `announce` after the commit. On SQLite the others
        poll.
        """
        if not database.is_sqlite:
            for portal_id in portal_ids:
                await notify(portal_id, self.prefix, database)

    async def start(self) -> None:
        """Begin to hear the other processes; return at once, also while the database is away."""
        self._task = asyncio.create_task(self._keep_listening(), name="changes")

    async def stop(self) -> None:
        """Stop hearing the other processes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self.listening.clear()

    async def _keep_listening(self) -> None:
        back_off_s = FIRST_BACK_OFF_S
        while True:
            try:
                await (self._poll() if self.is_polling else self._listen())
            except DATABASE_ERRORS as error:
                log.warning("other processes are not heard just now", error=type(error).__name__)
            back_off_s = (
                FIRST_BACK_OFF_S if self.listening.is_set() else min(back_off_s * 2, LONGEST_BACK_OFF_S)
            )
            self.listening.clear()
            await asyncio.sleep(back_off_s * (0.5 + secrets.randbelow(1000) / 1000))

    async def _listen(self) -> None:
        """Listen until the connection ends."""
        connection = await asyncpg.connect(self._database.url, timeout=10)
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _: ended.set())
        try:
            await connection.add_listener(CHANNEL, self._hear)
            self.listening.set()
            self.announce_all()  # News may have come before this process listened.
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_S):
                        await ended.wait()
                if not ended.is_set():
                    await beat(connection)
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _process_id: int, _channel: str, payload: str) -> None:
        if payload.startswith(self.prefix):
            return
        portal_ids = payload.partition(":")[2]
        if portal_ids == ALL:
            self.announce_all()
            return
        for portal_id in portal_ids.split(","):
            if portal_id.isdecimal():
                self.announce(int(portal_id))

    async def _poll(self) -> None:
        while True:
            await self.check_file()
            self.listening.set()
            await asyncio.sleep(POLL_S)

    async def check_file(self) -> None:
        """SQLite: wake all watches if another process has committed since the last look."""
        rows = await self._database.run("PRAGMA data_version")
        version = rows[0]["data_version"]
        if version != self._data_version and self._data_version is not None:
            self.announce_all()
        self._data_version = version
