"""Decoding again, with the code of today, the events and rows that could not be decoded once."""

from contextlib import suppress

import msgspec

from app.bitrix24.incoming.call_end import Undecodable, decode_call_end
from app.bitrix24.incoming.statistics import decode_statistics_row
from app.calls.intake.group_commit import Ingest, UnstorableError
from app.calls.oddities.kept_payloads import is_whole
from app.calls.oddities.undecodable_events import ROW, UndecodableEvent, list_undecodable
from app.calls.oddities.undecodable_queries import delete_event
from app.calls.space.destination import Destination
from app.calls.statistics.fetch.merge import write_rows
from app.portals.model import Portal
from app.portals.settings.quotas import QuotaReached


class ReplayResult(msgspec.Struct, frozen=True):
    """How many events and rows are stored now, and how many still cannot be stored."""

    stored: int
    left: int


async def replay_undecodable(ingest: Ingest, destination: Destination, portal: Portal) -> ReplayResult:
    """Decode the portal's kept events and rows again, and store those that can be read. To run it twice does
    no harm.

    An event that was not kept whole is left as it is: the kept part would look like a whole call.
    """
    stored = left = 0
    for event in await list_undecodable(portal.id):
        replay = _replay_row(destination, event) if event.event == ROW else _replay(ingest, portal, event)
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
    with suppress(QuotaReached, UnstorableError):  # The event stays for another time.
        token_hash = portal.application_token_hash or ""
        return await ingest.store(portal.id, token_hash, record, fallback_started_at)
    return False


async def _replay_row(destination: Destination, event: UndecodableEvent) -> bool:
    if not is_whole(event.reason):
        return False
    try:
        record = decode_statistics_row(event.data)
    except Undecodable:
        return False
    with suppress(QuotaReached):  # As above.
        await write_rows(destination, [record], event.received_at)
        return True
    return False
