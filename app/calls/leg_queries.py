"""The statement behind the legs of calls that somebody looks at, portal first."""

from collections.abc import Sequence
from typing import Any

from piccolo.columns.combination import And

from app.calls.column_queries import LISTED_LEGS, Readable
from app.calls.tables import CallLegTable


async def select_legs(
    portal_id: int, call_ids: Sequence[str], limit: int, columns: Sequence[Readable] = LISTED_LEGS
) -> list[dict[str, Any]]:
    """So many stored legs of these calls (ids as stored), in the order in which they began."""
    if not call_ids:
        return []
    is_of = And(CallLegTable.portal_id == portal_id, CallLegTable.call_id.is_in(list(call_ids)))
    rows: list[dict[str, Any]] = await (
        CallLegTable.select(*columns)
        .where(is_of)
        .order_by(CallLegTable.started_at, CallLegTable.id)
        .limit(limit)
    )
    return rows
