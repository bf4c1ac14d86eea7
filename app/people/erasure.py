"""Forgetting the users of a portal."""

from app.people.queries import delete_people


async def erase_people(portal_id: int) -> None:
    """Erase them: at once when the portal uninstalls, whatever CLEAN says."""
    await delete_people(portal_id)
