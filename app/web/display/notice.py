"""The bar above the log: what keeps Callbook from the portal, and how this viewer can help."""

from collections.abc import Collection
from typing import Literal, NamedTuple

from app.kit.messages.words import N_, Words, load_words
from app.people.service import People
from app.portals.model import Portal
from app.portals.settings.quotas import QuotaReached
from app.web.http.parts import WebParts
from app.web.http.sessions import Session

DAY_S = 86_400
SOON_DAYS = 7
TRIALS = frozenset({"D", "T"})
DENIED = "access_denied"
Kind = Literal[
    "reinstall_needed",
    "payment_required",
    "portal_closed",
    "plan_without_rest",
    "restricted",
    "statistics_denied",
    "quota_reached",
    "people_left_out",
    "license_over",
    "license_ends",
]
Tone = Literal["bad", "warn", "plain"]
TITLES: dict[Kind, str] = {
    "reinstall_needed": N_("Callbook has lost its access to this Bitrix24"),
    "payment_required": N_("Bitrix24 asks for payment"),
    "portal_closed": N_("This Bitrix24 is temporarily closed"),
    "plan_without_rest": N_("The plan of this Bitrix24 does not include REST"),
    "restricted": N_("%(owner)s may no longer use Callbook"),
    "statistics_denied": N_("Older calls cannot be read"),
    "quota_reached": N_("Callbook has no more room for calls of this Bitrix24"),
    "people_left_out": N_("Callbook does not know all people and departments of this Bitrix24"),
}
FOR_ADMINS: dict[Kind, str] = {
    "reinstall_needed": N_(
        "New calls are still recorded. Reconnect to read names, recordings and missing calls again."
    ),
    "payment_required": N_(
        "Pay for Callbook or for your plan in Bitrix24. Until then, Callbook adds only the calls "
        "that Bitrix24 reports; after that, it continues by itself."
    ),
    "portal_closed": N_("Callbook waits until it is open again, then reads the missing calls."),
    "plan_without_rest": N_("Change the plan, or start the Market trial. Callbook then continues by itself."),
    "restricted": N_(
        "Callbook uses this person's access to this Bitrix24. Let this person use Callbook again, "
        "or reconnect to use your own access."
    ),
    "statistics_denied": N_(
        "Callbook uses the access of %(owner)s, who may not view call statistics. Grant that right "
        "under Telephony, Access permissions."
    ),
    "quota_reached": N_(
        "In the settings, choose to keep calls for a shorter time, or ask the vendor of Callbook "
        "for more room. Callbook then reads the missing calls by itself."
    ),
    "people_left_out": QuotaReached.message,
}
FOR_OTHERS: dict[Kind, str] = {
    "reinstall_needed": N_(
        "New calls are still recorded. An administrator of your Bitrix24 can reconnect Callbook by "
        "opening it."
    ),
    "payment_required": N_(
        "An administrator can pay in Bitrix24. Callbook still adds the calls that Bitrix24 reports."
    ),
    "portal_closed": N_("Callbook waits until it is open again, then reads the missing calls."),
    "plan_without_rest": N_(
        "An administrator can change the plan. Callbook still adds the calls that Bitrix24 reports."
    ),
    "restricted": N_("An administrator of your Bitrix24 can fix this by opening Callbook."),
    "quota_reached": N_("Callbook adds no new calls. An administrator of your Bitrix24 can change that."),
}
OF_CALLS = frozenset({"rows", "bytes"})
OF_PEOPLE = frozenset({"people", "departments", "memberships"})
RECONNECTABLE = frozenset[Kind]({"reinstall_needed", "restricted"})


class Notice(NamedTuple):
    """The bar that the template shows, in the viewer's language."""

    kind: Kind
    tone: Tone
    title: str
    text: str
    can_reconnect: bool


async def view_notice(parts: WebParts, session: Session, failure_code: str | None) -> Notice | None:
    """The bar for this viewer, or None; `failure_code` says why the history is not read."""
    portal, is_admin = session.portal, session.claims.is_admin
    words = load_words(session.locale)
    kind = _find_trouble(portal)
    if kind is None and is_admin and failure_code == DENIED:
        kind = "statistics_denied"
    if kind is None:
        kind = _find_full(await parts.room.list_reached(portal.id), is_admin=is_admin)
    if kind is None:
        return _describe_license(portal, words, parts.clock.now()) if is_admin else None
    owner = (
        await _name_owner(portal, parts.people, words)
        if "%(owner)s" in TITLES[kind] + FOR_ADMINS[kind]
        else ""
    )
    texts = FOR_ADMINS if is_admin else FOR_OTHERS
    return Notice(
        kind=kind,
        tone="bad" if kind == "reinstall_needed" else "warn",
        title=words.gettext(TITLES[kind], owner=owner),
        text=words.gettext(texts[kind], owner=owner),
        can_reconnect=is_admin and kind in RECONNECTABLE,
    )


def _find_trouble(portal: Portal) -> Kind | None:
    if portal.connection == "reinstall_needed":
        return portal.connection
    return None if portal.contact_state == "ok" else portal.contact_state


def _find_full(reached: Collection[str], *, is_admin: bool) -> Kind | None:
    if not OF_CALLS.isdisjoint(reached):
        return "quota_reached"
    return "people_left_out" if is_admin and not OF_PEOPLE.isdisjoint(reached) else None


async def _name_owner(portal: Portal, people: People, words: Words) -> str:
    owner_id = portal.token_user_id
    names = await people.find_names(portal, [owner_id])
    return (owner_id is not None and names.get(owner_id)) or words.gettext(N_("An administrator"))


def _describe_license(portal: Portal, words: Words, now: int) -> Notice | None:
    """The notice that the trial or the subscription is over, or how many days are left: of a trial at any
    time, of a subscription only in its last week. None if there is nothing to say.
    """
    is_trial = portal.license_status in TRIALS
    if portal.is_license_over:
        title = N_("The trial is over") if is_trial else N_("Your Callbook subscription has ended")
        text = N_(
            "Pay for Callbook in the Bitrix24 Market before Bitrix24 closes it. Until then, no "
            "calls are lost."
        )
        return Notice(
            kind="license_over",
            tone="warn",
            title=words.gettext(title),
            text=words.gettext(text),
            can_reconnect=False,
        )
    if portal.license_ends_at is None:
        return None
    days = max(0, (portal.license_ends_at - now + DAY_S - 1) // DAY_S)
    if is_trial:
        title = words.ngettext("Trial: %(n)s day left", "Trial: %(n)s days left", days)
    elif days <= SOON_DAYS:
        title = words.ngettext("Paid for %(n)s more day", "Paid for %(n)s more days", days)
    else:
        return None
    tone: Tone = "warn" if days <= SOON_DAYS else "plain"
    return Notice(kind="license_ends", tone=tone, title=title, text="", can_reconnect=False)
