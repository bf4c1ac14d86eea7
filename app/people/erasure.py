"""Forgetting the users and departments of a portal."""

from app.people.department_queries import delete_some_structure
from app.people.preference_queries import delete_some_preferences
from app.people.queries import delete_some_people


async def erase_some_people(portal_id: int) -> bool:
    """Erase some of them and of what they chose: at once when the portal uninstalls, whatever CLEAN says.

    False when nothing is left.
    """
    for delete_some in (delete_some_people, delete_some_preferences, delete_some_structure):
        if await delete_some(portal_id):
            return True
    return False
