"""Erasing what a portal's calls left behind; in small steps, so that other portals' events need not wait."""

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
    """Erase all calls of a portal that takes no more of them; it can be interrupted and run again.

    Says whether none is left: a late writer may have been quicker.
    """
    for delete_some in (delete_some_operators, delete_some_legs, delete_some_calls):
        while await delete_some(portal_id):
            pass
    return not await has_calls(portal_id)


async def erase_usage(portal_id: int) -> bool:
    """Erase what was counted of a portal, after its calls."""
    await delete_usage(portal_id)
    return True


async def erase_some_undecodable_events(portal_id: int) -> bool:
    """Erase some of the events that were kept because they could not be decoded; False when none is left."""
    return await delete_some_undecodable_events(portal_id)


async def erase_mark(portal_id: int) -> bool:
    """Erase how far the portal's statistics have been read: another installation begins anew."""
    return await delete_mark(portal_id)


async def erase_views(portal_id: int) -> bool:
    """Erase the saved views of a portal, with its calls: whoever installs it again before finds them."""
    while await delete_some_views(portal_id):
        pass
    return True
