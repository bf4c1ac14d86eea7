"""Verified events and rows of the statistics that could not be decoded, kept without tokens."""

import json
from collections.abc import Mapping, Sequence

import msgspec

from app.calls.oddities.kept_payloads import keep_payload
from app.calls.oddities.undecodable_queries import (
    count_kept,
    delete_all_but,
    insert_event,
    insert_row,
    select_events,
)
from app.calls.space.destination import Destination
from app.kit.metrics import QUOTA_REFUSALS
from app.kit.text import original, storable
from app.portals.settings.quotas import QuotaReached, Quotas

ROW = "voximplant.statistic.get"  # The `event` of a kept row: the method that showed the row.
ROWS_A_PAGE = 5  # The most rows that are kept of one page: a few show the fault.


class UndecodableEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event or row that could not be decoded. `received_at`: Unix seconds. `reason`: the key that could
    not be read, and a note when not all data were kept.
    """

    id: int
    event: str
    data: dict[str, object]
    reason: str
    received_at: int


async def keep_undecodable(
    portal_id: int, token_hash: str, event: str, data: Mapping[str, object] | None, reason: str, now: int
) -> bool:
    """Keep an event that the portal's token proved; False when the portal is uninstalled or its token
    changed.
    """
    payload, reason = keep_payload(data or {}, reason)
    return await insert_event(portal_id, token_hash, storable(event), payload, reason, now)


async def check_room_for_undecodable(portal_id: int, quotas: Quotas) -> None:
    """Raise QuotaReached when too many events of the portal are kept.

    A new event does not replace a kept one, because Callbook has acknowledged the kept one. The statistics
    tell of the new event's call all the same.
    """
    if await count_events(portal_id) >= quotas.undecodable_events:
        QUOTA_REFUSALS.labels("undecodable").inc()
        raise QuotaReached


async def count_events(portal_id: int) -> int:
    """How many events of a portal are kept; rows do not count."""
    return await count_kept(portal_id, except_event=ROW)


async def keep_rows(place: Destination, odd: Sequence[tuple[Mapping[str, object], str]], now: int) -> None:
    """Keep rows of the statistics in which something could not be read, with the reasons: a few of each page,
    and each row once, however often it is read.
    """
    if not odd:
        return
    async with place.database.patient_transaction():
        for row, reason in odd[:ROWS_A_PAGE]:
            await insert_row(place.portal_id, place.generation, ROW, *keep_payload(row, reason), now)
        await delete_all_but(place.portal_id, ROW, place.room.quotas.odd_rows)


async def list_undecodable(portal_id: int) -> list[UndecodableEvent]:
    """All kept events and rows of a portal, oldest first."""
    return [
        UndecodableEvent(
            id=row["id"],
            event=original(row["event"]),
            data=json.loads(row["payload"]),
            reason=row["reason"],
            received_at=row["received_at"],
        )
        for row in await select_events(portal_id)
    ]
