"""The one condition that cuts every read of calls to what its viewer may see.

There is no other way to read calls for a person: `tests/architecture/test_visibility.py` holds that each
query on calls takes `visible` and uses it.
"""

from piccolo.columns.combination import And, WhereRaw
from piccolo.custom_types import Combinable

from app.calls.tables import CallTable
from app.portals.visibility import Everyone, Visible


def is_visible(portal_id: int, visible: Visible) -> Combinable:
    """Calls of the portal that are among the visible ones; a call of no employee is only among everyone's."""
    in_portal = CallTable.portal_id == portal_id
    if isinstance(visible, Everyone):
        return in_portal
    if len(visible) == 1:
        return And(in_portal, CallTable.user_id == next(iter(visible)))
    if not visible:
        return And(in_portal, WhereRaw("1 = 0"))
    return And(in_portal, CallTable.user_id.is_in(sorted(visible)))
