"""The statement behind the recordings of a call, portal first."""

from piccolo.columns.combination import And

from app.bitrix24.recordings import RecordedLeg
from app.calls.tables import CallLegTable, CallTable
from app.calls.visibility_queries import is_visible
from app.kit.text import storable
from app.portals.visibility import Visible


async def select_recorded_legs(portal_id: int, visible: Visible, call_id: str) -> list[RecordedLeg]:
    """Those legs of a call that have a recording, in the order in which they began; none where the call may
    not be seen, and none of a row that is gone.
    """
    seen = And(is_visible(portal_id, visible), CallTable.call_id == storable(call_id))
    of_call = CallLegTable.call_id.is_in(CallTable.select(CallTable.call_id).where(seen))
    is_recorded = And(CallLegTable.has_recording.eq(value=True), CallLegTable.statistics_id.is_not_null())
    is_shown = And(is_recorded, CallLegTable.gone_at.is_null())
    rows = await (
        CallLegTable.select(
            *(CallLegTable.statistics_id, CallLegTable.user_id),
            *(CallLegTable.started_at, CallLegTable.is_start_guessed),
        )
        .where(And(And(CallLegTable.portal_id == portal_id, of_call), is_shown))
        .order_by(CallLegTable.started_at, CallLegTable.id)
    )
    return [
        RecordedLeg(
            *(call_id, row["statistics_id"], row["user_id"]),
            None if row["is_start_guessed"] else row["started_at"],
        )
        for row in rows
    ]
