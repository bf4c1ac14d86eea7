"""Erasing a portal's calls and all that belongs to them, in small steps: other portals' events need not
wait.
"""

from app.calls.log.view_queries import delete_some_views
from app.calls.removal.erasure_queries import (
    delete_mark,
    delete_some_calls,
    delete_some_legs,
    delete_some_operators,
    delete_some_undecodable_events,
    has_calls,
)
from app.calls.space.usage_queries import delete_usage


async def erase_calls(portal_id: int) -> bool:
    """Erase all calls of a portal that stores no new ones. Returns True if no call is left; False if a write
    that was under way has stored one meanwhile. It can be interrupted and run again.
    """
    for delete_some in (delete_some_operators, delete_some_legs, delete_some_calls):
        while await delete_some(portal_id):
            pass
    return not await has_calls(portal_id)


async def erase_usage(portal_id: int) -> bool:
    """Erase the count of a portal's rows and texts; call it after its calls are erased."""
    await delete_usage(portal_id)
    return True


async def erase_some_undecodable_events(portal_id: int) -> bool:
    """Erase some of the portal's kept events that could not be decoded; False when none is left."""
    return await delete_some_undecodable_events(portal_id)


async def erase_mark(portal_id: int) -> bool:
    """Erase the portal's mark, so that another installation reads its statistics from the beginning."""
    return await delete_mark(portal_id)


async def erase_views(portal_id: int) -> bool:
    """Erase the saved views of a portal when its calls are erased. A portal that is installed again before
    that finds its views.
    """
    while await delete_some_views(portal_id):
        pass
    return True
