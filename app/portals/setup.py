"""What an installation still needs in the portal: events and the placement bound, each step told to the
admin.

Documentation: api-reference/events/event-bind.md, api-reference/widgets/placement-bind.md.
"""

import contextlib
from typing import Literal

import msgspec
import structlog

from app.bitrix24.bindings import bind_events, bind_placement
from app.bitrix24.errors import BitrixError, BitrixFailure
from app.bitrix24.rest import PortalClient
from app.portals import queries
from app.portals.budget import RecentlySeen
from app.portals.clients import PortalClients
from app.portals.model import Portal

log = structlog.get_logger(__name__)
EVENTS = ("ONVOXIMPLANTCALLEND", "ONAPPINSTALL", "ONAPPUNINSTALL", "ONAPPUPDATE")
PLACEMENT = "TELEPHONY_ANALYTICS_MENU"
TITLES = {"en": "Callbook", "de": "Callbook", "ru": "Callbook"}
HEAL_EVERY_S = 600
SPENT = frozenset({"expired_token", "invalid_token"})
REMEDIES = {
    "insufficient_scope": "Give the app the permissions that its card lists, then try again.",
    "access_denied": "REST is not part of this Bitrix24's plan, or an administrator's right is missing.",
    "expired_token": "Reload this page: the session of Bitrix24 has ended.",
}
DEFAULT_REMEDY = "Try again in a minute. If it stays, send the code to the vendor."


class Step(msgspec.Struct):
    """One step of the installation. `code` and `remedy` are empty unless it failed."""

    name: Literal["verified", "events", "placement"]
    state: Literal["running", "done", "failed"]
    code: str = ""
    remedy: str = ""


def read_steps(portal: Portal) -> list[Step]:
    """The steps as stored, in the order in which they are done."""
    return msgspec.json.decode(portal.setup, type=list[Step])


def begin_steps() -> str:
    """The steps of an installation that has just been verified, as they are stored."""
    return _write([Step("verified", "done"), Step("events", "running"), Step("placement", "running")])


def _write(steps: list[Step]) -> str:
    return msgspec.json.encode(steps).decode()


class PortalSetup:
    """Binds what is missing, with an admin's token, and notes how each step went."""

    def __init__(self, clients: PortalClients, recently_healed: RecentlySeen, app_url: str) -> None:
        self._clients = clients
        self._recently_healed = recently_healed
        self._app_url = app_url

    async def begin(self, portal: Portal, access_token: str) -> None:
        """Do all steps with the token of a page or an event, which nobody can renew."""
        with contextlib.suppress(BitrixError):  # Each step's failure is noted, and logged.
            await self.run(portal, access_token)

    async def run(self, portal: Portal, access_token: str) -> None:
        """Do all steps; one that fails does not stop the others.

        Raises BitrixError at the end when the token had expired, so that PortalAccess renews a stored one.
        """
        steps = msgspec.json.decode(begin_steps(), type=list[Step])
        await self._note(portal, steps)
        client = self._clients.open(portal.client_endpoint, portal.member_id)
        for step in steps[1:]:
            await self._do(step, client, access_token, portal)
            await self._note(portal, steps)
        spent = next((step.code for step in steps if step.code in SPENT), None)
        if spent is not None:
            raise BitrixError(spent, 401)

    async def heal(self, portal: Portal, access_token: str) -> None:
        """Bind again what got lost, at most every ten minutes a portal: an update can drop bindings
        silently.
        """
        if portal.member_id not in self._recently_healed:
            self._recently_healed.remember(portal.member_id, HEAL_EVERY_S)
            await self.begin(portal, access_token)

    async def _do(self, step: Step, client: PortalClient, access_token: str, portal: Portal) -> None:
        try:
            if step.name == "events":
                await bind_events(client, access_token, f"{self._app_url}/events", EVENTS)
            else:
                await bind_placement(client, access_token, PLACEMENT, f"{self._app_url}/", TITLES)
        except BitrixFailure as failure:
            code = failure.code
            step.state, step.code = "failed", code
            step.remedy = REMEDIES.get(code, DEFAULT_REMEDY)
            log.warning("setup step failed", portal_id=portal.id, step=step.name, code=code)
        else:
            step.state = "done"

    async def _note(self, portal: Portal, steps: list[Step]) -> None:
        await queries.update_generation(portal.id, portal.generation, {"setup": _write(steps)})
