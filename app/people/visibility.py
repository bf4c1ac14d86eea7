"""The one rule about the calls that a viewer may see. Every page, list, count, export and stream asks it each
time.

Rights add up: a viewer with several roles (administrator, head of departments, employee) sees the calls that
any of the roles shows. A member of several departments sees the calls of all of them. Decision 0020.
"""

from app.people.department_queries import is_head, select_colleagues, select_led
from app.portals.model import Portal
from app.portals.settings.portal_settings import PortalSettings
from app.portals.settings.visible_users import EVERYONE, Visible


async def find_visible(portal: Portal, settings: PortalSettings, user_id: int, *, is_admin: bool) -> Visible:
    """The users whose calls this user of the portal may see now; always including the user itself, also while
    departments are not known.
    """
    reaches = {settings.employees_see} | ({settings.admins_see} if is_admin else set())
    if "all" in reaches or (settings.heads_see == "all" and await is_head(portal.id, user_id)):
        return EVERYONE
    seen = frozenset((user_id,))
    if "department" in reaches:
        seen |= await select_colleagues(portal.id, user_id)
    if "department" in reaches or settings.heads_see == "department":
        seen |= await select_led(portal.id, user_id)
    return seen
