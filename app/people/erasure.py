"""Erasure of a portal's users, their preferences and its departments."""

from app.people.department_queries import delete_some_structure
from app.people.preference_queries import delete_some_preferences
from app.people.queries import delete_some_people


async def erase_some_people(portal_id: int) -> bool:
    """Erase some users, preferences and departments of a portal; False when none is left.

    An uninstall erases them at once, with CLEAN and without.
    """
    for delete_some in (delete_some_people, delete_some_preferences, delete_some_structure):
        if await delete_some(portal_id):
            return True
    return False
