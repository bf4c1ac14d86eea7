"""The one rule about who sees whose calls: every page, list, count, export and stream asks it each time.

Rights add up: who is several things at once (administrator, head of departments, employee) sees what any of
these sees, and who is in several departments the calls of all of them. Decision 0020.
"""

from app.people.department_queries import is_head, select_colleagues, select_led
from app.portals.model import Portal
from app.portals.settings.portal_settings import PortalSettings
from app.portals.settings.visible_users import EVERYONE, Visible


async def find_visible(portal: Portal, settings: PortalSettings, user_id: int, *, is_admin: bool) -> Visible:
    """Whose calls a user of the portal may see now; where departments are not known, their own at least."""
    reaches = {settings.employees_see} | ({settings.admins_see} if is_admin else set())
    if "all" in reaches or (settings.heads_see == "all" and await is_head(portal.id, user_id)):
        return EVERYONE
    seen = frozenset((user_id,))
    if "department" in reaches:
        seen |= await select_colleagues(portal.id, user_id)
    if "department" in reaches or settings.heads_see == "department":
        seen |= await select_led(portal.id, user_id)
    return seen
