"""Verified events and rows of the statistics that could not be decoded: kept without tokens."""

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


async def keep_rows(place: Destination, odd: Sequence[tuple[Mapping[str, object], str]], now: int) -> None:
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
