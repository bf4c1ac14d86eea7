"""Which portals are due for a forward read, which process reads, and the result in the mark. Portal first.

The mark is the same row as in `mark_queries.py`. Every write names the generation. A write that depends on
the rows that were read also names the owner of the token that showed them.
"""

import msgspec
from piccolo.columns.combination import And, WhereRaw

from app.calls.statistics.progress.mark_queries import Marks, is_of, update_mark
from app.calls.statistics.progress.marks import Mark
from app.calls.statistics.progress.read_schedule import LATE_FACTS_S, READ_EVERY_S
from app.portals.tokens.refresh_budget import ALIVE_FOR_S, REST_S

MOST_LOOKED_AT = 100_000  # Legs or calls of a portal in one statement, which takes up to half a second.
# With a token that has not expired a read costs no refresh, so every reason to read counts. A read may buy a
# new pair only when the last one came long ago, and never for late facts.
_DUE = """
    SELECT p.id FROM statistics_marks m
    JOIN portals p ON p.id = m.portal_id AND p.generation = m.generation
    WHERE p.state = 'installed' AND p.token_state = 'ok'
        AND (p.contact_state = 'ok' OR p.contact_retry_at <= {now})
        AND m.token_user_id = COALESCE(p.token_user_id, 0) AND m.history_state = 'complete'
        AND m.claimed_until <= {now} AND m.next_at <= {now}
        AND (m.looked_at IS NULL OR m.looked_at NOT BETWEEN {lately} AND {now})
        AND ((m.next_read_at <= {now} OR m.evidence_at <= {now})
                AND (p.access_expires_at > {alive}
                    OR p.pair_stored_at <= {rested} AND p.pair_bought_at <= {rested})
            OR m.late_facts_at <= {now} AND p.access_expires_at > {alive})
    ORDER BY CASE WHEN m.next_at > COALESCE(m.looked_at, 0) THEN m.next_at ELSE COALESCE(m.looked_at, 0) END,
        p.id LIMIT {limit}
"""
# No "IS NOT NULL": for it SQLite would choose the index of the statistics' ids, and read all of it each time.
_FIRST_LEG = """
    SELECT MIN(id) AS id FROM (
        SELECT l.statistics_id AS id FROM calls c CROSS JOIN call_legs l
        WHERE c.portal_id = {} AND c.started_at BETWEEN {} AND {} AND c.is_confirmed
            AND l.portal_id = c.portal_id AND l.call_id = c.call_id AND l.started_at BETWEEN {} AND {}
            AND COALESCE(l.statistics_id, 0) <> 0
        ORDER BY c.started_at LIMIT {}) oldest
"""
_RECENT = """
    SELECT COUNT(*) AS n FROM
    (SELECT 1 FROM calls WHERE portal_id = {} AND started_at BETWEEN {} AND {} LIMIT {}) recent
"""
# Where the statistics show later calls of an operator, the owner may see that operator's calls, so those that
# are missing are forged. Where they show no later call of anybody, they may be behind.
_UNSEEN = """
    SELECT COUNT(*) AS n FROM (
        SELECT user_id FROM (
            SELECT user_id, is_confirmed, received_at, started_at FROM calls
            WHERE portal_id = {} AND started_at BETWEEN {} AND {} AND NOT is_gone
            ORDER BY started_at DESC LIMIT {}) newest
        WHERE user_id IS NOT NULL GROUP BY user_id
        HAVING MAX(CASE WHEN NOT is_confirmed AND received_at < {} THEN started_at END)
            > COALESCE(MAX(CASE WHEN is_confirmed THEN started_at END), 0)
        AND (MIN(CASE WHEN NOT is_confirmed THEN received_at END) < {} OR
            MIN(CASE WHEN NOT is_confirmed THEN started_at END) < (SELECT started_at FROM calls
                WHERE portal_id = {} AND started_at BETWEEN {} AND {} AND is_confirmed
                ORDER BY started_at DESC LIMIT 1))) unseen
"""
_FINISH = """
    UPDATE statistics_marks SET looked_at = {}, is_limited = {}, counts_all = {},
        next_read_at = {},
        full_read_at = COALESCE({}, full_read_at),
        evidence_at = CASE WHEN evidence_at > {} THEN evidence_at END,
        late_facts_at = CASE WHEN late_facts_at > {} THEN late_facts_at ELSE
            (SELECT p.last_event_at + {} FROM portals p
             WHERE p.id = statistics_marks.portal_id AND p.last_event_at > {}) END,
        failures = 0, failure_code = {}, pass_low_id = NULL,
        claimed_until = CASE WHEN claimed_until = {} THEN 0 ELSE claimed_until END
    WHERE portal_id = {} AND generation = {} AND token_user_id = {}
"""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a whole read that began at `looked_at`, by our clock; `failure_code` tells how the
    comparison after it failed (None: it did not).
    """

    looked_at: int
    is_limited: bool
    counts_all: bool
    next_read_at: int
    full_read_at: int | None
    failure_code: str | None


async def list_due_reads(now: int, limit: int) -> list[int]:
    """The ids of portals of all tenants whose statistics are to be read now: first those whose last turn, cut
    off or not, is longest ago.
    """
    now = int(now)
    moments = {"now": now, "alive": now + ALIVE_FOR_S, "rested": now - REST_S}
    moments["lately"] = now - READ_EVERY_S + 1
    return [row["id"] for row in await Marks.raw(_DUE.format(**moments, limit=int(limit)))]


async def take_read_lease(portal_id: int, generation: int, now: int, until: int) -> Mark | None:
    """Take the lease for a forward read. None while another process has it, while the portal is to rest, and
    within a minute of the beginning of the last whole read.
    """
    is_free = And(Marks.claimed_until <= now, Marks.next_at <= now)
    is_rested = WhereRaw(
        "(looked_at IS NULL OR looked_at NOT BETWEEN {} AND {})", now - READ_EVERY_S + 1, now
    )
    is_complete = And(Marks.history_state == "complete", is_rested)
    condition = And(is_of(portal_id, generation), And(is_complete, is_free))
    return await update_mark(portal_id, condition, {"claimed_until": until})


async def finish_read(
    portal_id: int, generation: int, owner_id: int, finding: Finding, claimed_until: int
) -> None:
    """Note a whole read, and end the lease that lasts until `claimed_until` (0: the read had none).

    Evidence from after its beginning stays in the mark, and so do the late facts of calls that ended shortly
    before it.
    """
    looked_at = finding.looked_at
    told = (finding.is_limited, finding.counts_all)
    noted = (looked_at, *told, finding.next_read_at, finding.full_read_at)
    late = (looked_at, LATE_FACTS_S, looked_at - LATE_FACTS_S)
    await Marks.raw(
        _FINISH,
        *noted,
        looked_at,
        *late,
        finding.failure_code,
        claimed_until,
        portal_id,
        generation,
        owner_id,
    )


async def find_first_leg(portal_id: int, since: int, until: int) -> int | None:
    """The lowest statistics id of the calls that started between these two moments.

    Where the calls are very many, it looks at the oldest of them: ids rise with time, except those of
    imported calls. The start of the leg itself decides, so an event that names a later start for an old call
    changes nothing.
    """
    rows = await Marks.raw(_FIRST_LEG, portal_id, since, until, since, until, MOST_LOOKED_AT)
    found: int | None = rows[0]["id"]
    return found


async def count_recent_calls(portal_id: int, since: int, until: int, most: int) -> int:
    """How many calls started between these two moments, counted up to `most`."""
    rows = await Marks.raw(_RECENT, portal_id, since, until, most)
    found: int = rows[0]["n"]
    return found


async def count_unseen_operators(
    portal_id: int, since: int, until: int, doubted_before: int, late_before: int
) -> int:
    """How many operators have a call that the statistics lack, and no later call that the statistics show.

    A call counts only if its event came before `doubted_before`. While the statistics show no later call of
    any operator, they may be late: then the call counts only if its event came before `late_before`. Where
    the calls between `since` and `until` are very many, it looks at the newest of them.
    """
    period = (portal_id, since, until)
    rows = await Marks.raw(_UNSEEN, *period, MOST_LOOKED_AT, doubted_before, late_before, *period)
    found: int = rows[0]["n"]
    return found
