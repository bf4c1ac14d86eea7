"""The one rule about who sees whose calls; every page, list, count and stream asks it at each request."""

from app.portals.model import Portal
from app.portals.visibility import EVERYONE, Visible


async def find_visible(portal: Portal, user_id: int, *, is_admin: bool) -> Visible:  # noqa: ARG001  The rule needs it as soon as departments are known.
    """Whose calls a user of the portal may see now: administrators everyone's, others their own."""
    return EVERYONE if is_admin else frozenset((user_id,))
