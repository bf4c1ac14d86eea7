"""Names of the portal's users for pages: read in the background when it is time to."""

import asyncio

from app.web.parts import WebParts
from app.web.sessions import Session

FIRST_NAMES_S = 3.0


def refresh_people(parts: WebParts, session: Session, *, is_somebody_unknown: bool) -> None:
    """Read the portal's users in the background when it is time to."""
    if parts.people.is_due(session.portal, is_somebody_unknown=is_somebody_unknown):
        parts.background.spawn("people", parts.people.refresh(session.portal))


async def meet_people(parts: WebParts, session: Session) -> None:
    """Before the first page of all, wait a moment for the users, so that it shows names from the start."""
    if session.portal.people_read_at == 0 and parts.people.is_due(session.portal, is_somebody_unknown=True):
        task = parts.background.spawn("people", parts.people.refresh(session.portal))
        await asyncio.wait({task}, timeout=FIRST_NAMES_S)
