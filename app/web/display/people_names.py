"""Names of the portal's users for pages: read in the background when it is time to."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial

from app.kit.messages.words import load_words
from app.people.service import PEOPLE
from app.web.http.parts import WebParts
from app.web.http.sessions import Session

FIRST_NAMES_S = 3.0


def system_user_label(locale: str) -> Callable[[int], str]:
    """Names a user whom the portal never lists: a bot, an integrator, something of Bitrix24's own."""
    words = load_words(locale)
    return lambda user_id: words.gettext("System user %(number)s", number=user_id)


def refresh_people(parts: WebParts, session: Session, *, is_somebody_unknown: bool) -> None:
    """Read the portal's users in the background when it is time to."""
    if parts.people.is_due(session.portal, is_somebody_unknown=is_somebody_unknown):
        parts.turns.begin(PEOPLE, session.portal.id, partial(parts.people.refresh, session.portal))


async def name_users(
    parts: WebParts, session: Session, of_calls: Collection[int], asked_for: Iterable[int]
) -> dict[int, str]:
    """Names of users whom the viewer's calls name, and of those of the ids that a request names whose calls
    the viewer may see: or whoever counts ids up would learn the names of all employees.
    """
    label = system_user_label(session.locale)
    seen = {user_id for user_id in asked_for if session.viewer.sees_calls_of(user_id)}
    names = await parts.people.find_names(session.portal, of_calls, label)
    return names | await parts.people.find_known_names(session.portal, seen.difference(of_calls), label)


async def meet_people(parts: WebParts, session: Session) -> None:
    """Before the first page of all, wait a moment for the users, so that it shows names from the start."""
    if session.portal.people_read_at == 0 and parts.people.is_due(session.portal, is_somebody_unknown=True):
        task = parts.turns.begin(PEOPLE, session.portal.id, partial(parts.people.refresh, session.portal))
        await asyncio.wait({task}, timeout=FIRST_NAMES_S)
