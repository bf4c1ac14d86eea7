"""Names of the portal's users for pages, which Callbook reads in the background when they are due."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial

from app.kit.messages.words import load_words
from app.people.service import PEOPLE
from app.web.http.parts import WebParts
from app.web.http.sessions import Session

FIRST_NAMES_S = 3.0


def system_user_label(locale: str) -> Callable[[int], str]:
    """The name for a user that the portal never lists: a bot, an integrator, a user of Bitrix24's own."""
    words = load_words(locale)
    return lambda user_id: words.gettext("System user %(number)s", number=user_id)


def refresh_people(parts: WebParts, session: Session, *, is_somebody_unknown: bool) -> None:
    """Begin to read the portal's users in the background, if a read is due."""
    if parts.people.is_due(session.portal, is_somebody_unknown=is_somebody_unknown):
        parts.turns.begin(PEOPLE, session.portal.id, partial(parts.people.refresh, session.portal))


async def name_users(
    parts: WebParts, session: Session, of_calls: Collection[int], asked_for: Iterable[int]
) -> dict[int, str]:
    """Names by user id: of all users in the viewer's calls, and of users that the request names (`asked_for`)
    if the viewer may see their calls. Else a viewer could try all ids and learn every employee's name.
    """
    label = system_user_label(session.locale)
    seen = {user_id for user_id in asked_for if session.viewer.sees_calls_of(user_id)}
    names = await parts.people.find_names(session.portal, of_calls, label)
    return names | await parts.people.find_known_names(session.portal, seen.difference(of_calls), label)


async def meet_people(parts: WebParts, session: Session) -> None:
    """Before the portal's very first page, wait FIRST_NAMES_S for the users, so that the page shows names."""
    if session.portal.people_read_at == 0 and parts.people.is_due(session.portal, is_somebody_unknown=True):
        task = parts.turns.begin(PEOPLE, session.portal.id, partial(parts.people.refresh, session.portal))
        await asyncio.wait({task}, timeout=FIRST_NAMES_S)
