"""The statements of the intake, each on the connection that inserts: new calls, last events, a probe.

The insert itself reads state and token hash from the portals' rows, so an event after an uninstall inserts
nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from operator import attrgetter

from app.calls.intake.arrivals import Arrival
from app.calls.store.call_queries import KEY_TYPES, LEG_TYPES
from app.calls.store.known_calls import digits_of
from app.calls.store.legs import TOLD_FIELDS
from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from
from app.portals.news_queries import ALL, CHANNEL, LONGEST_PAYLOAD

# Runs a statement with its one value and commits it, on a connection that the caller need not wait for.
Execute = Callable[[str, object], Awaitable[object]]
_TOLD_TYPES = {name: LEG_TYPES[name] for name in TOLD_FIELDS}
_COLUMNS = KEY_TYPES | {"token_hash": "text", "phone_digits": "text"} | _TOLD_TYPES
_told_of = attrgetter(*TOLD_FIELDS)
_STORED = ", ".join(name for name in _COLUMNS if name != "token_hash")
_LAST_TYPES = {"portal_id": "bigint", "at": "bigint"}

POSTGRES_INSERT = f"""
WITH due AS MATERIALIZED (
    SELECT {", ".join(f"(value->>{i})::{kind} AS {name}" for i, (name, kind) in enumerate(_COLUMNS.items()))}
    FROM jsonb_array_elements($1::jsonb)),
held AS MATERIALIZED (
    SELECT id, application_token_hash FROM portals
    WHERE id IN (SELECT portal_id FROM due) AND state = 'installed' ORDER BY id FOR SHARE),
inserted AS (
    INSERT INTO calls ({_STORED}, source)
    SELECT {_STORED}, 'event' FROM due JOIN held ON id = portal_id AND application_token_hash = token_hash
    ORDER BY portal_id, call_id
    ON CONFLICT (portal_id, call_id) DO NOTHING RETURNING portal_id, call_id),
told AS MATERIALIZED (
    SELECT pg_notify('{CHANNEL}',
        $2::text || CASE WHEN length(ids) < {LONGEST_PAYLOAD} THEN ids ELSE '{ALL}' END)
    FROM (SELECT string_agg(DISTINCT portal_id::text, ',') AS ids FROM inserted) news WHERE ids IS NOT NULL)
SELECT portal_id, call_id FROM due
WHERE (SELECT count(*) FROM told) >= 0
AND (portal_id, call_id) NOT IN (SELECT portal_id, call_id FROM inserted)
"""  # noqa: S608  Our own names only. The count makes sure that `told` runs.


def make_sqlite_insert(count: int) -> str:
    """The insert of `count` events; its values are those of `values_of`, event after event."""
    row = f"({', '.join('?' * len(_COLUMNS))})"
    names = ", ".join(f"column{i} AS {name}" for i, name in enumerate(_COLUMNS, 1))
    return (
        f"INSERT INTO calls ({_STORED}, source)"  # noqa: S608  Our own names only.
        f" SELECT {_STORED}, 'event' FROM (SELECT {names}"
        f" FROM (VALUES {', '.join([row] * count)}))"
        " WHERE EXISTS (SELECT 1 FROM portals p WHERE p.id = portal_id AND p.state = 'installed'"
        " AND p.application_token_hash = token_hash)"
        " ON CONFLICT (portal_id, call_id) DO NOTHING"
    )


def values_of(arrival: Arrival) -> tuple[object, ...]:
    """The values of one event for either insert."""
    leg = arrival.leg
    digits = digits_of(leg.phone_number)
    return (arrival.portal_id, arrival.call_id, arrival.token_hash, digits, *_told_of(leg))


async def write_last_events(seen: Mapping[int, int], execute: Execute, database: Database) -> None:
    """Write when each of these portals sent its last event, except portals with a row that is held now."""
    source = rows_from(database, _LAST_TYPES)
    if database.is_sqlite:
        free = "SELECT id FROM portals"
    else:
        # It locks free rows only and never waits: no deadlock with a batch that holds several portals.
        held = "FOR NO KEY UPDATE OF portals SKIP LOCKED"
        free = f"SELECT id FROM portals JOIN wanted ON id = portal_id {held}"  # noqa: S608  As below.
    await execute(
        f"WITH wanted AS (SELECT * FROM {source} k), free AS ({free})"  # noqa: S608  Our own names only.
        " UPDATE portals SET last_event_at = wanted.at FROM wanted, free"
        " WHERE portals.id = wanted.portal_id AND free.id = portals.id AND portals.state = 'installed'"
        " AND (portals.last_event_at IS NULL OR portals.last_event_at < wanted.at)",
        encode_rows(seen.items()),
    )


async def write_probe(now: int, execute: Execute, database: Database) -> None:
    """Write a value as an event is written, to see whether that succeeds; nobody reads the value."""
    mark = "?" if database.is_sqlite else "$1"
    await execute(
        f"INSERT INTO facts (name, value, at) VALUES ('storing_probe', 'written', {mark})"  # noqa: S608  As above.
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        now,
    )
