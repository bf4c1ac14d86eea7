"""The steps that finish an installation in the portal: events and placements are bound, and the administrator
sees the outcome of each step.

Documentation: api-reference/events/event-bind.md, api-reference/widgets/placement-bind.md.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Literal

import msgspec
import structlog

from app.bitrix24.languages import portal_language
from app.bitrix24.methods.bindings import bind_events, bind_placements
from app.bitrix24.methods.cards import CARDS
from app.bitrix24.methods.license import License, fetch_license
from app.bitrix24.rest.portal_client import PortalClient
from app.kit.clock import Clock
from app.kit.fairness.budget import RecentlySeen
from app.kit.fairness.turns import Kind, PortalTurns
from app.kit.messages.languages import LANGUAGES
from app.kit.messages.words import N_, load_words
from app.portals import queries
from app.portals.model import Portal
from app.portals.outbound.access import (
    ACCESS_FAILURES,
    PortalAccess,
    PortalNotConnectedError,
    Work,
)
from app.portals.outbound.clients import PortalClients
from app.portals.states import checkup_queries, contact_queries

log = structlog.get_logger(__name__)
EVENTS = ("ONVOXIMPLANTCALLEND", "ONAPPINSTALL", "ONAPPUNINSTALL", "ONAPPUPDATE")
OPTIONAL_EVENTS = ("ONAPPPAYMENT",)
TITLE = N_("Callbook")
PLACEMENT = "TELEPHONY_ANALYTICS_MENU"
LINK = "REST_APP_URI"
NO_CRM = N_("Not in this Bitrix24: Callbook lacks the permission “CRM (crm)”. An administrator can grant it.")
NOT_ALL_CARDS = N_("Not in every kind of card: this Bitrix24 does not offer all of them to apps.")
NO_LINKS = N_(
    "The tabs are there. Links to views and calls do not open in this Bitrix24, because it does "
    "not offer links to apps."
)
HEAL_EVERY_S = 600
CHECK_EVERY_S = 86_400
HINT_EVERY_S = 6 * 3600
LEAST_LIFE_S = 120  # Of a token that a check uses: a check never buys a pair.
DAY_S = 86_400
STALLED_AFTER_S = 60
SETUP, CHECKUP = Kind(name="setup"), Kind(name="checkup")
MOST_DUE = 500  # Portals in one pass; if more are due, those checked the longest ago.
REMEDIES = {
    "insufficient_scope": N_(
        "Give Callbook the permissions listed on its card in the Market, then try again."
    ),
    "access_denied": N_(
        "The plan of this Bitrix24 does not include REST, or you lack an administrator's right."
    ),
    "expired_token": N_("Reload the page: your Bitrix24 session has ended."),
    PortalNotConnectedError.code: N_("Reload this page to connect Callbook to this Bitrix24 again."),
}
DEFAULT_REMEDY = N_("Try again in a minute. If that does not help, send the code to the vendor of Callbook.")


Use = Callable[[Work[object]], Awaitable[object]]  # Does a piece of work with a client and a token.


StepName = Literal["verified", "events", "placement", "cards"]


class Step(msgspec.Struct, kw_only=True):
    """One step of the installation; `code` and `remedy` say why it failed, or `remedy` why it was skipped."""

    name: StepName
    state: Literal["running", "done", "failed", "skipped"]
    code: str = ""
    remedy: str = ""
    noted_at: int = 0


WAITING: tuple[StepName, ...] = ("events", "placement", "cards")


def make_titles() -> dict[str, str]:
    """The placement's title by Bitrix24's names for languages."""
    return {portal_language(locale): load_words(locale).gettext(TITLE) for locale in LANGUAGES}


def read_steps(portal: Portal) -> list[Step]:
    """The steps as stored, in the order in which they are done."""
    return msgspec.json.decode(portal.setup, type=list[Step])


def explain_lacking(placements: Collection[str]) -> str:
    """The sentence that explains why the portal lacks these placements; "" if there are none.

    If all kinds of cards are among them, Callbook lacks a permission. Else Bitrix24 does not offer these
    placements.
    """
    cards = [card for card in CARDS if card in placements]
    if len(cards) == len(CARDS):
        return NO_CRM
    return NOT_ALL_CARDS if cards else NO_LINKS if placements else ""


def begin_steps(now: int) -> str:
    """The steps of an installation that has just been verified, as stored."""
    return _write(_make_steps(), now)


def is_stalled(portal: Portal, now: int) -> bool:
    """Whether a step has been running for so long that its process has probably been killed."""
    return any(
        step.state == "running" and step.noted_at <= now - STALLED_AFTER_S for step in read_steps(portal)
    )


def _make_steps() -> list[Step]:
    waiting = [Step(name=name, state="running") for name in WAITING]
    return [Step(name="verified", state="done"), *waiting]


def _write(steps: list[Step], now: int) -> str:
    for step in steps:
        step.noted_at = now
    return msgspec.json.encode(steps).decode()


class PortalSetup:
    """Binds missing events and placements with an administrator's token, and notes each step's outcome."""

    def __init__(
        self,
        clients: PortalClients,
        access: PortalAccess,
        recently_healed: RecentlySeen,
        app_url: str,
        clock: Clock,
    ) -> None:
        self._clients = clients
        self._access = access
        self._recently_healed = recently_healed
        self._app_url = app_url
        self._clock = clock

    async def begin(self, portal: Portal, access_token: str) -> None:
        """Do all steps with the token of a page or an event; a failed step does not stop the others."""
        client = self._clients.open(portal.client_endpoint, portal.member_id)
        await self._run(portal, lambda work: work(client, access_token))

    async def repeat(self, portal: Portal) -> None:
        """Do all steps with the stored token, which is renewed if it has expired."""
        await self._run(portal, partial(self._access.use, portal))

    async def heal(self, portal: Portal, access_token: str) -> None:
        """Bind again all that got lost, at most every ten minutes a portal: an update can silently drop
        bindings.
        """
        if portal.member_id not in self._recently_healed:
            self._recently_healed.remember(portal.member_id, HEAL_EVERY_S)
            await self.begin(portal, access_token)

    async def check_due(self, turns: PortalTurns) -> None:
        """Check the bindings and licence of portals not checked for a day whose stored token still lives."""
        now = self._clock.now()
        for portal in await checkup_queries.list_due(now - CHECK_EVERY_S, now, LEAST_LIFE_S, MOST_DUE):
            turns.begin(CHECKUP, portal.id, partial(self._check_up, portal))

    async def _check_up(self, portal: Portal) -> None:
        now = self._clock.now()
        if await checkup_queries.take_check(portal, now, now - CHECK_EVERY_S):
            await self.repeat(portal)

    async def take_hint(self, portal: Portal) -> None:
        """Check the portal, even during its pause, because an event says that the customer has paid. Anyone
        in the portal can send such an event, so the check is rare.
        """
        now = self._clock.now()
        if await checkup_queries.take_check(portal, now, now - HINT_EVERY_S):
            await contact_queries.end_pause(portal, now)
            await self.repeat(portal)

    async def _run(self, portal: Portal, use: Use) -> None:
        steps = _make_steps()
        await self._note(portal, steps)
        works = (self._bind_events, self._bind_placement, self._bind_cards)
        for step, work in zip(steps[1:], works, strict=True):
            await self._do(step, use(work), portal)
            await self._note(portal, steps)
        await self._read_license(portal, use)

    async def _bind_events(self, client: PortalClient, access_token: str) -> None:
        await bind_events(client, access_token, f"{self._app_url}/events", EVENTS, OPTIONAL_EVENTS)

    async def _bind_placement(self, client: PortalClient, access_token: str) -> None:
        await bind_placements(client, access_token, f"{self._app_url}/", make_titles(), [PLACEMENT])

    async def _bind_cards(self, client: PortalClient, access_token: str) -> str:
        """Bind the tab in CRM cards and the links to the log; return the remedy if the portal lacks some."""
        handler_url, offered_ones = f"{self._app_url}/", (LINK, *CARDS)
        return explain_lacking(
            await bind_placements(client, access_token, handler_url, make_titles(), optional=offered_ones)
        )

    async def _read_license(self, portal: Portal, use: Use) -> None:
        """Read and store the customer's licence, from which the tab tells the state of the subscription."""
        found: list[License] = []

        async def ask(client: PortalClient, access_token: str) -> None:
            found.append(await fetch_license(client, access_token))

        try:
            await use(ask)
        except ACCESS_FAILURES as failure:
            log.warning("licence not read", portal_id=portal.id, code=failure.code)
            return
        license_, now = found[-1], self._clock.now()
        days = license_.days_left
        changes = {
            "license_status": license_.status,
            "license_ends_at": None if days is None else now + days * DAY_S,
            "is_license_over": license_.is_over,
            "app_code": license_.code,
            "checked_at": now,
        }
        await queries.update_generation(portal.id, portal.generation, changes)

    async def _do(self, step: Step, work: Awaitable[object], portal: Portal) -> None:
        try:
            lacking = await work
        except ACCESS_FAILURES as failure:
            step.state, step.code = "failed", failure.code
            step.remedy = REMEDIES.get(failure.code, DEFAULT_REMEDY)
            log.warning("setup step failed", portal_id=portal.id, step=step.name, code=failure.code)
        else:
            step.remedy = lacking if isinstance(lacking, str) else ""
            step.state = "skipped" if step.remedy else "done"

    async def _note(self, portal: Portal, steps: list[Step]) -> None:
        changes = {"setup": _write(steps, self._clock.now())}
        await queries.update_generation(portal.id, portal.generation, changes)
