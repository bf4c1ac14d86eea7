"""The cost of a page of the log of one portal among many, 1,000,000 calls in all, near and far."""

import asyncio
import http.client
import time
from collections.abc import Iterator
from statistics import median
from urllib.parse import urlencode

import msgspec

from app.calls.log.selection.cursors import Cursor
from app.kit.clock import SystemClock
from app.kit.crypto import Keyring
from app.kit.storage.database import Database
from app.portals import queries
from app.tables import TABLES
from app.web.http.sessions import CONTEXT, LIFETIME_S, SessionClaims
from tests.bench.figures import print_table, show_limit
from tests.databases import KEYS
from tests.processes import insert_sender, run_serve

CALLS = 1_000_000
PORTALS = 1_000
OURS = 100_000
PAGE = 50
FAR_PAGE = 1_000
ROUNDS = 60
WARM_UP = 5
MOST_OF_PAGE_1 = 1.5
_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    " SELECT i FROM n",
    "postgresql": "SELECT i FROM generate_series(1::bigint, {count}) AS s(i)",
}
_FILL = """
    INSERT INTO calls (portal_id, call_id, type, phone_number, phone_digits, portal_number, user_id,
        started_at, duration_s, cost_e4, currency, code, has_recording, has_transcript, source, is_confirmed,
        received_at)
    SELECT CASE WHEN i % 10 = 0 THEN {ours} ELSE {ours} + 1 + i % {portals} END, 'c' || i, 1 + i % 4,
        '+4930' || (23000000 + i * 7919 % 999983), '4930' || (23000000 + i * 7919 % 999983), 'reg' || (i % 7),
        1 + i % 40, {now} - i * 13, i % 900, i % 5000, 'EUR',
        CASE i % 5 WHEN 0 THEN '304' WHEN 1 THEN '486' ELSE '200' END, TRUE, FALSE, 'history', TRUE, {now}
    FROM ({numbers}) AS numbers
"""


class Asked(msgspec.Struct):
    """One kind of request, and the milliseconds of its rounds."""

    name: str
    path: str
    rounds: list[float] = msgspec.field(default_factory=list)

    @property
    def took_ms(self) -> float:
        return median(self.rounds)


async def fill(database_url: str) -> tuple[str, str]:
    """Store the calls; return a session token, and the cursor of the far page."""
    sender = await insert_sender(database_url)
    database = Database(database_url, TABLES)
    await database.open()
    try:
        portal = await queries.find_portal(sender.member_id)
        assert portal is not None
        now = SystemClock().now()
        numbers = _NUMBERS[database.dialect].format(count=CALLS)
        statement = _FILL.format(ours=portal.id, portals=PORTALS - 1, now=now, numbers=numbers)
        for sql in (statement, "ANALYZE"):
            await database.run(sql)
        far = await database.run(
            f"SELECT started_at, id FROM calls WHERE portal_id = {portal.id}"
            f" ORDER BY started_at DESC, id DESC LIMIT 1 OFFSET {(FAR_PAGE - 1) * PAGE - 1}"
        )
        claims = SessionClaims(
            portal_id=portal.id,
            generation=1,
            user_id=1,
            is_admin=True,
            time_zone="Europe/Berlin",
            locale="en",
            expires_at=now + LIFETIME_S,
        )
        token = Keyring.parse(KEYS).seal(msgspec.json.encode(claims), CONTEXT)
        cursor = Cursor("-started_at", int(str(far[0]["started_at"])), int(str(far[0]["id"])))
        return token, cursor.to_text()
    finally:
        await database.close()


def measure(database_url: str) -> list[Asked]:
    """Alternate the requests on one kept connection."""
    token, cursor = asyncio.run(fill(database_url))
    asked = list(_list_requests(cursor))
    with run_serve(database_url) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in range(ROUNDS + WARM_UP):
            for each in asked:
                began = time.perf_counter()
                connection.request("GET", each.path, headers={"Authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != http.client.OK:
                    raise SystemExit(f"{each.path}: {answer.status} {body[:200]!r}")
                if number >= WARM_UP:
                    each.rounds.append((time.perf_counter() - began) * 1000)
        connection.close()
    return asked


def report(name: str, asked: list[Asked]) -> bool:
    """Print the table; return whether the far page costs no more than the first one."""
    first, far = asked[1].took_ms, asked[2]
    is_met = far.took_ms <= MOST_OF_PAGE_1 * first
    limit = show_limit(f"at most {MOST_OF_PAGE_1} of page 1", is_met=is_met)
    title = f"the log of {OURS:,} calls among {CALLS:,}, {name}; medians of {ROUNDS} alternated rounds"
    rows = [
        (each.name, f"{each.took_ms:.1f}", f"{each.took_ms / first:.2f}", limit if each is far else "")
        for each in asked
    ]
    print_table((title, "ms", "of page 1", "limit"), rows)
    return is_met


def _list_requests(cursor: str) -> Iterator[Asked]:
    yield Asked("no-op (GET /healthz)", "/healthz")
    yield Asked("page 1", "/log/rows?period=")
    yield Asked(f"page {FAR_PAGE:,}", f"/log/rows?{urlencode({'cursor': cursor})}")
    yield Asked("by longest duration", "/log/rows?sort=-duration_s")
    yield Asked("search, found", "/log/rows?q=2312")
    yield Asked("search, found nowhere", "/log/rows?q=00000000")
    yield Asked("summary of all", "/log/summary")
    yield Asked("summary of missed calls in 30 days", "/log/summary?period=month&outcome=missed")
