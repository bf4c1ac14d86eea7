"""Where a portal lives that does not answer at its address any more, and left no redirect there.

The authorization server knows: `app.info` tells it for a living token, and a refresh tells it too. Nothing
else would cause that refresh, because only a portal's answer says that a token has expired.
Documentation: settings/how-to-call-rest-api/change-domen.md.
"""

import structlog

from app.bitrix24.address import AddressPolicy
from app.bitrix24.errors import BitrixFailure
from app.bitrix24.oauth import AuthorizationServer
from app.kit.clock import Clock
from app.portals import queries
from app.portals.budget import RecentlySeen
from app.portals.lifecycle import address_changes
from app.portals.model import Portal
from app.portals.refresh import Refresher
from app.portals.vault import Vault

log = structlog.get_logger(__name__)
LOOK_EVERY_S = 600
REFRESH_EVERY_S = 6 * 3600
LIFE_S = 3600


class Moves:
    """Looks for silent portals, and not often: most of them are only down."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        policy: AddressPolicy,
        vault: Vault,
        refresher: Refresher,
        clock: Clock,
    ) -> None:
        self._server = authorization_server
        self._policy = policy
        self._vault = vault
        self._refresher = refresher
        self._clock = clock
        self._recently = RecentlySeen(clock)

    async def has_moved(self, portal: Portal) -> bool:
        """Whether the portal, as it was read before it kept silent, has another address by now."""
        if portal.member_id not in self._recently:
            self._recently.remember(portal.member_id, LOOK_EVERY_S)
            await self._look(portal)
        current = await queries.get_portal(portal.id)
        return current is not None and current.client_endpoint != portal.client_endpoint

    async def _look(self, portal: Portal) -> None:
        pair = await self._vault.read_pair(portal.id)
        if pair is None or pair.generation != portal.generation:
            return
        now = self._clock.now()
        if portal.access_expires_at <= now:
            if portal.access_expires_at - LIFE_S + REFRESH_EVERY_S <= now:
                await self._refresher.renew(portal.id, pair)  # Which stores the address that it is told.
            return
        try:
            info = await self._server.app_info(pair.access_token, portal.oauth_server, portal.member_id)
            endpoint = self._policy.check_portal(info.client_endpoint)
        except BitrixFailure as failure:
            log.info("silent portal not found", portal_id=portal.id, code=failure.code)
            return
        if info.member_id == portal.member_id and endpoint != portal.client_endpoint:
            await queries.update_generation(portal.id, portal.generation, address_changes(endpoint))
