"""Verified events and rows of the statistics that could not be decoded: kept without tokens, and replayed."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from app.bitrix24.call_end import Undecodable, decode_call_end
from app.bitrix24.statistics import decode_statistics_row
from app.calls.ingest import Ingest, UnstorableError
from app.calls.kept_payloads import is_whole, keep_payload
from app.calls.sync_writes import Installation, write_rows
from app.calls.undecodable_queries import (
    count_kept,
    delete_all_but,
    delete_event,
    insert_event,
    insert_row,
    select_events,
)
from app.kit.metrics import QUOTA_REFUSALS
from app.kit.text import original, storable
from app.portals.model import Portal
from app.portals.quotas import QuotaReached, Quotas

ROW = "voximplant.statistic.get"  # In the place of an event's name.
ROWS_A_PAGE = 5  # Where all rows are odd, a few show it.


class UndecodableEvent(msgspec.Struct, frozen=True):
    """One such event; `received_at` is Unix seconds, `reason` names the key that could not be read, and says
    so when not all of the data was kept.
    """

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
    payload, reason = keep_payload(data or {}, reason)
    return await insert_event(portal_id, token_hash, storable(event), payload, reason, now)


async def check_room_for_undecodable(portal_id: int, quotas: Quotas) -> None:
    """Raise QuotaReached when the portal has too many: what was answered for is not pushed out by what comes,
    and the statistics tell of the call all the same.
    """
    if await count_events(portal_id) >= quotas.undecodable_events:
        QUOTA_REFUSALS.labels("undecodable").inc()
        raise QuotaReached


async def count_events(portal_id: int) -> int:
    """How many events are kept of a portal."""
    return await count_kept(portal_id, except_event=ROW)


async def keep_rows(place: Installation, odd: Sequence[tuple[Mapping[str, object], str]], now: int) -> None:
    """Keep rows of the statistics in which something could not be read, with the reasons; each once, however
    often it is read, and a few of each page.
    """
    if not odd:
        return
    async with place.database.patient_transaction():
        for row, reason in odd[:ROWS_A_PAGE]:
            await insert_row(place.portal_id, place.generation, ROW, *keep_payload(row, reason), now)
        await delete_all_but(place.portal_id, ROW, place.room.quotas.odd_rows)


async def list_undecodable(portal_id: int) -> list[UndecodableEvent]:
    """What is kept of a portal, oldest first."""
    return [
        UndecodableEvent(
            row["id"], original(row["event"]), json.loads(row["payload"]), row["reason"], row["received_at"]
        )
        for row in await select_events(portal_id)
    ]


async def replay_undecodable(ingest: Ingest, installation: Installation, portal: Portal) -> ReplayResult:
    """Decode again, with the code of today, and store what can be read; the same again changes nothing.

    What was not kept whole is left: a part of it would be stored as if it were all.
    """
    stored = left = 0
    for event in await list_undecodable(portal.id):
        replay = _replay_row(installation, event) if event.event == ROW else _replay(ingest, portal, event)
        if await replay:
            await delete_event(portal.id, event.id)
            stored += 1
        else:
            left += 1
    return ReplayResult(stored, left)


async def _replay(ingest: Ingest, portal: Portal, event: UndecodableEvent) -> bool:
    if not is_whole(event.reason):
        return False
    try:
        record = decode_call_end(event.data)
    except Undecodable:
        return False
    fallback_started_at = event.received_at - (record.duration_s or 0)
    with suppress(QuotaReached, UnstorableError):  # It stays for another time.
        token_hash = portal.application_token_hash or ""
        return await ingest.store(portal.id, token_hash, record, fallback_started_at)
    return False


async def _replay_row(installation: Installation, event: UndecodableEvent) -> bool:
    if not is_whole(event.reason):
        return False
    try:
        record = decode_statistics_row(event.data)
    except Undecodable:
        return False
    with suppress(QuotaReached):  # As above.
        await write_rows(installation, [record], event.received_at)
        return True
    return False
