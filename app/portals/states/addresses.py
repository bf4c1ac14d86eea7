"""Which address of a portal is believed: one decision for addresses from all sources.

A redirect, or an answer from some host, proves nothing: the owner of a portal controls its server, and it
could send our requests to another portal. Only the authorization server's word counts. If another portal has
the address already, Callbook asks the server about that portal too. The address is free only if the server
names another one for that portal, or refuses that portal's token for good.
Documentation: settings/how-to-call-rest-api/change-domen.md.
"""

from functools import partial

import structlog

from app.bitrix24.errors import EXPIRED, TOKEN_REFUSED, AddressRefused, BitrixError, BitrixFailure
from app.bitrix24.rest.oauth import AppInfo, AuthorizationServer
from app.bitrix24.transport.address_policy import AddressPolicy
from app.kit.clock import Clock
from app.kit.fairness.background import Background
from app.kit.fairness.budget import RecentlySeen
from app.kit.fairness.shared_tasks import SharedTasks
from app.portals import queries
from app.portals.lifecycle import address_changes
from app.portals.model import Portal
from app.portals.vault import Vault

log = structlog.get_logger(__name__)
# The server's answer about a portal is kept for this time, because anyone can repeat a refused claim.
ASK_EVERY_S = 600
MOST_HOLDERS = 3  # Portals stored at one address. Under this rule there is one; older data may hold more.


class Addresses:
    """Stores addresses that the authorization server has named."""

    def __init__(
        self,
        authorization_server: AuthorizationServer,
        policy: AddressPolicy,
        vault: Vault,
        clock: Clock,
        background: Background,
    ) -> None:
        self._server = authorization_server
        self._policy = policy
        self._vault = vault
        self._left, self._there = RecentlySeen(clock), RecentlySeen(clock)
        self._questions = SharedTasks[bool](background, "holder")

    def check(self, named: str) -> str:
        """The REST root at the named address; raises AddressRefused if it may not be contacted."""
        return self._policy.check_portal(named)

    async def adopt(self, portal: Portal, named: str) -> bool:
        """Store the address that the server has just named for this portal; return whether the stored address
        changed. An address that may not be contacted, or is another portal's, changes nothing.
        """
        try:
            endpoint = self.check(named)
        except AddressRefused:
            return False
        if endpoint == portal.client_endpoint or not await self.is_free(endpoint, portal.member_id):
            return False
        return await queries.update_generation(portal.id, portal.generation, address_changes(endpoint))

    async def is_free(self, endpoint: str, member_id: str) -> bool:
        """Whether no other portal has this (checked) address. A portal whose pair is dead counts as having
        none. Any other portal keeps its stored address while the server gives no clear answer.
        """
        holders = await queries.list_at(member_id, address_changes(endpoint)["domain"], MOST_HOLDERS)
        for holder in holders:
            if not await self._has_left(holder):
                log.warning("address of another portal", member_id=member_id, portal_id=holder.id)
                return False
        return True

    async def _has_left(self, holder: Portal) -> bool:
        """Whether the server names another address for the holder, or refuses its token for good. The server
        is asked once and its answer kept for a while, because the page and the event of one installation
        often need the same answer at the same time.
        """
        key = holder.member_id
        if key in self._there:
            return False
        if _name_pair(holder) in self._left:
            return True
        return await self._questions.run(key, partial(self._ask_once, holder))

    async def _ask_once(self, holder: Portal) -> bool:
        has_left = await self._ask(holder)
        if has_left:
            self._left.remember(_name_pair(holder), ASK_EVERY_S)
        else:
            self._there.remember(holder.member_id, ASK_EVERY_S)
        return has_left

    async def _ask(self, holder: Portal) -> bool:
        pair = await self._vault.read_pair(holder.id)
        if pair is None:
            return True
        try:
            info = await self._server.app_info(pair.access_token, holder.oauth_server, holder.member_id)
        except BitrixError as error:
            return error.code in TOKEN_REFUSED - EXPIRED  # An expired token says nothing of its portal.
        except BitrixFailure:
            return False
        return await self._follow(holder, info)

    async def _follow(self, holder: Portal, info: AppInfo) -> bool:
        """Store the address that the server names for the holder; False if the holder has not left."""
        if info.member_id != holder.member_id:
            return False
        try:
            endpoint = self.check(info.client_endpoint)
        except AddressRefused:
            return False
        changes = address_changes(endpoint)
        if changes["domain"] == holder.domain:
            return False
        if not await queries.list_at(holder.member_id, changes["domain"], 1):
            await queries.update_generation(holder.id, holder.generation, changes)
        return True


def _name_pair(holder: Portal) -> str:
    """A key for the server's answer; a new pair, address or installation of the holder makes another key."""
    return f"{holder.member_id} {holder.domain} {holder.generation} {holder.token_version}"
