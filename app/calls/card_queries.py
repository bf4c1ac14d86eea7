"""The calls of one CRM card: by its activities, and by the card that the statistics name.

No index of its own, which every event would pay for: the portal's calls are walked newest first
(decision 0021 has the figures).
"""

from collections.abc import Sequence
from typing import Any

from piccolo.columns.combination import And, Or

from app.calls.column_queries import LISTED
from app.calls.log_queries import beyond
from app.calls.paging import Cursor
from app.calls.tables import CallTable
from app.calls.visibility_queries import is_visible
from app.portals.visibility import Visible


async def select_of_card(
    portal_id: int,
    visible: Visible,
    card: tuple[str, int],
    activity_ids: Sequence[int],
    limit: int,
    cursor: Cursor | None = None,
) -> list[dict[str, Any]]:
    """The newest calls of a card (its kind as the statistics name it, and its id), from the cursor on."""
    kind, card_id = card
    is_of_card = And(CallTable.crm_entity_type == kind, CallTable.crm_entity_id == card_id)
    belongs = (
        Or(is_of_card, CallTable.crm_activity_id.is_in(list(activity_ids))) if activity_ids else is_of_card
    )
    if cursor is not None:
        belongs = And(belongs, beyond(cursor))
    rows: list[dict[str, Any]] = await (
        CallTable.select(*LISTED)
        .where(And(is_visible(portal_id, visible), belongs))
        .order_by(CallTable.started_at, CallTable.id, ascending=False)
        .limit(limit)
    )
    return rows
