"""Which portal an event belongs to, from memory: the hot path of ingest.

What is remembered is only a guess that saves a query. The statement that stores a call tests the portal's
state and token hash itself, so nothing that is remembered here outlives an uninstall or a new token, in any
process.
"""

import hmac
from collections import OrderedDict
from dataclasses import dataclass

from app.portals import queries
from app.portals.model import Portal
from app.portals.vault import Vault

MAX_PORTALS = 20_000


@dataclass(frozen=True, slots=True)
class Sender:
    """An installed portal that sends events, and the hash by which it was recognised."""

    portal: Portal
    token_hash: str


class Directory:
    """Portals by `member_id`, the least recently used forgotten."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._portals: OrderedDict[str, Portal] = OrderedDict()

    async def recognise(self, member_id: str, application_token: str) -> Sender | None:
        """The installed portal whose `application_token` this is, compared in constant time; else None."""
        token_hash = self._vault.hash_application_token(application_token)
        remembered = self._portals.get(member_id)
        if remembered is not None and _matches(remembered, token_hash):
            return Sender(remembered, token_hash)
        return await self.recognise_now(member_id, application_token)

    async def recognise_now(self, member_id: str, application_token: str) -> Sender | None:
        """The same by what is stored now: for whoever does not test the row again while writing."""
        token_hash = self._vault.hash_application_token(application_token)
        portal = await self.find(member_id)
        return Sender(portal, token_hash) if portal is not None and _matches(portal, token_hash) else None

    async def find(self, member_id: str) -> Portal | None:
        """The portal as stored now, installed or not."""
        portal = await queries.find_portal(member_id)
        if portal is None or not portal.is_installed:
            self._portals.pop(member_id, None)
            return portal
        self._portals[member_id] = portal
        if len(self._portals) > MAX_PORTALS:
            self._portals.popitem(last=False)
        return portal

    def forget(self, member_id: str) -> None:
        """Read this portal from the database the next time."""
        self._portals.pop(member_id, None)


def _matches(portal: Portal, token_hash: str) -> bool:
    stored = portal.application_token_hash
    return portal.is_installed and stored is not None and hmac.compare_digest(stored, token_hash)
