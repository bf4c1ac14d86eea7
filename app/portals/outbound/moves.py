"""The new address of a portal that no longer answers at its stored address, or redirects to another.

A redirect alone is not believed (see addresses.py). The authorization server knows the address: `app.info`
names it for a living token, and so does the answer to a refresh. If the stored token has expired, this module
refreshes the pair. PortalAccess would wait for the portal to say that the token has expired, and a portal
that is silent or redirects never says so.
Documentation: settings/how-to-call-rest-api/change-domen.md.
"""

import structlog

from app.bitrix24.errors import BitrixFailure
from app.bitrix24.rest.oauth import AuthorizationServer
from app.kit.clock import Clock
from app.kit.fairness.budget import RecentlySeen
from app.portals import queries
from app.portals.model import Portal
from app.portals.states.addresses import Addresses
from app.portals.tokens.refresh import Refresher
from app.portals.tokens.refresh_budget import Cause
from app.portals.vault import Vault

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 600  # How often a portal that is silent or redirects makes each process ask.


class Moves:
    """Looks for portals that no longer answer at their address; seldom, since most of them are only down."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        addresses: Addresses,
        vault: Vault,
        refresher: Refresher,
        clock: Clock,
    ) -> None:
        self._server = authorization_server
        self.addresses = addresses
        self._vault = vault
        self._refresher = refresher
        self._clock = clock
        self._recently = RecentlySeen(clock)

    async def has_moved(self, portal: Portal, access_token: str | None = None) -> bool:
        """Whether the stored address now differs from the address in `portal`, which the caller read before
        the portal fell silent.

        `access_token`: a visitor's living token, which the server is asked about instead of the stored one.
        """
        if portal.member_id not in self._recently:
            self._recently.remember(portal.member_id, LOOK_EVERY_S)
            await self._look(portal, access_token or await self._read_living(portal))
        current = await queries.get_portal(portal.id)
        return current is not None and current.client_endpoint != portal.client_endpoint

    async def _read_living(self, portal: Portal) -> str | None:
        """The stored token if it has not expired. Else None; a new pair has then been bought, if
        `refresh_budget` allows it.
        """
        pair = await self._vault.read_pair(portal.id)
        if pair is None or pair.generation != portal.generation:
            return None
        if portal.access_expires_at > self._clock.now():
            return pair.access_token
        # A refresh stores the address that the server names.
        await self._refresher.renew(portal.id, pair, Cause.OWN_WORK)
        return None

    async def _look(self, portal: Portal, access_token: str | None) -> None:
        if access_token is None:
            return
        try:
            info = await self._server.app_info(access_token, portal.oauth_server, portal.member_id)
        except BitrixFailure as failure:
            log.info("silent portal not found", portal_id=portal.id, code=failure.code)
            return
        if info.member_id == portal.member_id:
            await self.addresses.adopt(portal, info.client_endpoint)
