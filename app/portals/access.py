"""REST calls with a portal's stored token: the one way for everything that runs without a person.

It refreshes when, and only when, a call answers that the token has expired.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from app.bitrix24.errors import AddressRefused, BitrixError, Unreachable
from app.bitrix24.rest import Answer, BatchAnswer, Command, PortalClient
from app.kit.errors import Refusal, Unavailable
from app.portals import queries
from app.portals.clients import PortalClients
from app.portals.lifecycle import address_changes
from app.portals.model import Portal
from app.portals.refresh import Refresher, Verdict
from app.portals.vault import StoredPair, Vault

SPENT = frozenset({"expired_token", "invalid_token"})
Result = TypeVar("Result")
Work = Callable[[PortalClient, str], Awaitable[Result]]


class PortalNotConnectedError(Refusal):
    """The portal has no pair that works, is uninstalled, or is another installation than the caller's."""

    status = 409
    code = "portal_not_connected"


class PortalUnreachableError(Unavailable):
    """Nothing was learnt; it may be tried again later."""

    code = "portal_unreachable"


class PortalAccess:
    """Calls portals on behalf of the token's owner, an admin of the portal."""

    def __init__(self, clients: PortalClients, vault: Vault, refresher: Refresher) -> None:
        self._clients = clients
        self._vault = vault
        self._refresher = refresher

    async def call(self, portal: Portal, method: str, parameters: Mapping[str, object]) -> Answer:
        """One method. Raises BitrixError as the portal answers, or one of the two errors above."""
        return await self.use(portal, lambda client, token: client.call(method, parameters, token))

    async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
        """Up to 50 methods in one request; errors of single commands stand in the answer."""
        return await self.use(portal, lambda client, token: client.batch(commands, token))

    async def use(self, portal: Portal, work: Work[Result]) -> Result:
        """Do the work with a client and a token; once more after a refresh when the token had expired."""
        pair = await self._read_pair(portal)
        try:
            return await self._attempt(portal, pair, work)
        except BitrixError as error:
            if error.code not in SPENT:
                raise
        return await self._attempt(portal, await self._renew(portal, pair), work)

    async def _attempt(self, portal: Portal, pair: StoredPair, work: Work[Result]) -> Result:
        client = await self._open(portal)
        try:
            result = await work(client, pair.access_token)
        except Unreachable as error:
            raise PortalUnreachableError(error.reason) from error
        finally:
            if client.moved_to is not None:
                await queries.update_generation(
                    portal.id, portal.generation, address_changes(client.moved_to)
                )
        return result

    async def _open(self, portal: Portal) -> PortalClient:
        current = await queries.get_portal(portal.id) or portal
        try:
            return self._clients.open(current.client_endpoint, portal.member_id)
        except AddressRefused as error:
            raise PortalNotConnectedError(error.message) from error

    async def _renew(self, portal: Portal, spent: StoredPair) -> StoredPair:
        verdict = await self._refresher.renew(portal.id, spent)
        if verdict is Verdict.RENEWED:
            return await self._read_pair(portal)
        if verdict in {Verdict.AWAY, Verdict.SECRET_REJECTED}:
            raise PortalUnreachableError("the authorization server gave no new pair")
        raise PortalNotConnectedError("the portal must be reconnected: an admin opens Callbook there")

    async def _read_pair(self, portal: Portal) -> StoredPair:
        current = await queries.get_portal(portal.id)
        if current is None or not current.is_reachable or current.generation != portal.generation:
            raise PortalNotConnectedError("the portal is not connected, or was installed anew meanwhile")
        pair = await self._vault.read_pair(portal.id)
        if pair is None or pair.generation != portal.generation:
            raise PortalNotConnectedError("the portal has no pair of tokens")
        return pair
