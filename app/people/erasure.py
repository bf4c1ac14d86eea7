"""Forgetting the users and departments of a portal."""

from app.people.department_queries import delete_structure
from app.people.preference_queries import delete_preferences
from app.people.queries import delete_people


async def erase_people(portal_id: int) -> None:
    """Erase them and what they chose: at once when the portal uninstalls, whatever CLEAN says."""
    await delete_people(portal_id)
    await delete_preferences(portal_id)
    await delete_structure(portal_id)
