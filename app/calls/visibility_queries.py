"""The one condition that cuts every read of calls to what its viewer may see.

There is no other way to read calls for a person: `tests/architecture/test_visibility.py` holds that each
query on calls takes `visible` and uses it.
"""

from piccolo.columns.combination import And
from piccolo.custom_types import Combinable

from app.calls.tables import CallTable
from app.kit.conditions import is_among
from app.portals.visibility import Everyone, Visible


def is_visible(portal_id: int, visible: Visible) -> Combinable:
    """Calls of the portal that are among the visible ones; a call of no employee is only among everyone's."""
    in_portal = CallTable.portal_id == portal_id
    if isinstance(visible, Everyone):
        return in_portal
    return And(in_portal, is_among("user_id", visible))
