"""The one condition that cuts every read of calls to those that the viewer may see.

There is no other way to read calls for a person: `tests/architecture/test_visibility.py` checks that each
query on calls takes `visible` and uses it.
"""

from collections.abc import Collection

from piccolo.columns.combination import And, WhereRaw
from piccolo.custom_types import Combinable

from app.calls.tables import CallTable
from app.kit.storage.conditions import among
from app.portals.settings.visible_users import Everyone, Visible


def is_visible(portal_id: int, visible: Visible) -> Combinable:
    """The condition for the calls of the portal that the viewer may see. A viewer who may not see everyone's
    calls sees no call without an employee.
    """
    in_portal = CallTable.portal_id == portal_id
    if isinstance(visible, Everyone):
        return in_portal
    return And(in_portal, took_part(portal_id, visible))


def took_part(portal_id: int, user_ids: Collection[int]) -> Combinable:
    """The condition for calls of which one of these users had a leg: the leg that speaks for the call, or
    another leg that the statistics show.
    """
    text, values = among("user_id", user_ids)
    of_others = f"call_id IN (SELECT call_id FROM call_operators WHERE portal_id = {{}} AND {text})"  # noqa: S608  Our own names only.
    return WhereRaw(f"({text} OR {of_others})", *values, portal_id, *values)
