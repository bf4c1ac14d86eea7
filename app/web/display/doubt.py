"""The sentences about calls that came by event but are not in the portal's statistics (decision 0014)."""

from typing import NamedTuple

import msgspec

from app.calls.store.counted_queries import find_counting
from app.kit.messages.words import N_, Words, load_words
from app.people.service import People
from app.portals.model import Portal
from app.web.http.sessions import Session

REMEDY = N_(
    "Grant %(owner)s the right “Call Statistics - View” for all calls, under Telephony, Access permissions; "
    "or let an administrator with this right install Callbook again."
)
LIMITED_TITLE = N_("Calls of several employees are not confirmed")
LIMITED_TEXT = N_(
    "Bitrix24's statistics do not show Callbook the calls marked “Not confirmed”. Probably "
    "%(owner)s, whose access Callbook uses, may not see these calls; or else a user of this "
    "Bitrix24 made them up. They are counted."
)
HIDDEN_TITLE = N_("Bitrix24 no longer shows Callbook some calls")
HIDDEN_TEXT = N_(
    "Probably %(owner)s, whose access Callbook uses, may no longer see these calls. They stay as "
    "Bitrix24 last showed them, and are counted."
)
TITLE = N_("Some calls are not confirmed")
TEXT = N_(
    "Bitrix24's statistics do not show Callbook the calls marked “Not confirmed”: a user of this "
    "Bitrix24 made them up, or %(owner)s, whose access Callbook uses, may not see them. They are "
    "not counted."
)


class Limited(msgspec.Struct, frozen=True):
    """The statistics do not show the owner of the token all calls: the owner's name, and the remedy."""

    owner: str
    remedy: str


class Doubt(NamedTuple):
    """The bar that the template shows above the log, in the viewer's language."""

    title: str
    text: str
    remedy: str


async def find_limited(portal: Portal, people: People, locale: str) -> Limited | None:
    """The limit, or None if the last whole read has shown none."""
    if not (await find_counting(portal.id)).is_limited:
        return None
    words = load_words(locale)
    owner = await _name_owner(portal, people, words)
    return Limited(owner, words.gettext(REMEDY, owner=owner))


async def view_doubt(session: Session, people: People, *, is_any_doubted: bool) -> Doubt | None:
    """The bar for this viewer: always while the log is limited, else only if a call in view is doubted. None
    if neither is so. Only administrators read the remedy.
    """
    words = load_words(session.locale)
    counting = await find_counting(session.portal.id)
    if counting.is_limited:
        title, text = (LIMITED_TITLE, LIMITED_TEXT) if counting.counts_all else (HIDDEN_TITLE, HIDDEN_TEXT)
        owner = await _name_owner(session.portal, people, words)
        remedy = words.gettext(REMEDY, owner=owner) if session.claims.is_admin else ""
        return Doubt(words.gettext(title), words.gettext(text, owner=owner), remedy)
    if not is_any_doubted:
        return None
    owner = await _name_owner(session.portal, people, words)
    return Doubt(words.gettext(TITLE), words.gettext(TEXT, owner=owner), "")


async def _name_owner(portal: Portal, people: People, words: Words) -> str:
    owner_id = portal.token_user_id
    names = await people.find_names(portal, [owner_id])
    return (owner_id is not None and names.get(owner_id)) or words.gettext(N_("An administrator"))
