"""Events that were verified and could not be decoded: kept without their tokens, listed, replayed."""

import json
import re
from collections.abc import Mapping

import msgspec

from app.bitrix24.call_end import Undecodable, decode_call_end
from app.calls.ingest import Ingest
from app.calls.undecodable_queries import delete_all_but, delete_event, insert_event, select_events
from app.kit.text import original, storable
from app.portals.model import Portal

KEPT = 1_000  # The latest of each portal.
_SECRET_KEY = re.compile("auth|token|secret", re.IGNORECASE)


class UndecodableEvent(msgspec.Struct, frozen=True):
    """One such event; `received_at` is Unix seconds, `reason` names the key that could not be read."""

    id: int
    event: str
    data: dict[str, object]
    reason: str
    received_at: int


class ReplayResult(msgspec.Struct, frozen=True):
    """How many could be stored now, and how many still cannot be read."""

    stored: int
    left: int


async def keep_undecodable(
    portal_id: int, token_hash: str, event: str, data: Mapping[str, object] | None, reason: str, now: int
) -> bool:
    """Keep an event that the portal's token proved; False when its row no longer agrees."""
    harmless = {key: value for key, value in (data or {}).items() if not _SECRET_KEY.search(key)}
    payload = json.dumps(
        harmless
    )  # Escaped to ASCII: neither a NUL nor half a character reaches the database.
    if not await insert_event(portal_id, token_hash, storable(event), payload, reason, now):
        return False
    await delete_all_but(portal_id, KEPT)
    return True


async def list_undecodable(portal_id: int) -> list[UndecodableEvent]:
    """What is kept of a portal, oldest first."""
    return [
        UndecodableEvent(
            row["id"], original(row["event"]), json.loads(row["payload"]), row["reason"], row["received_at"]
        )
        for row in await select_events(portal_id)
    ]


async def replay_undecodable(ingest: Ingest, portal: Portal) -> ReplayResult:
    """Decode again, with the code of today, and store what can be read; the same again changes nothing."""
    stored = left = 0
    for event in await list_undecodable(portal.id):
        if await _replay(ingest, portal, event):
            await delete_event(portal.id, event.id)
            stored += 1
        else:
            left += 1
    return ReplayResult(stored, left)


async def _replay(ingest: Ingest, portal: Portal, event: UndecodableEvent) -> bool:
    try:
        record = decode_call_end(event.data)
    except Undecodable:
        return False
    fallback_started_at = event.received_at - (record.duration_s or 0)
    return await ingest.store(portal.id, portal.application_token_hash or "", record, fallback_started_at)
