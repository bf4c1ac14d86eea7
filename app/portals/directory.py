"""Which portal an event belongs to, from memory: the hot path of ingest.

What is remembered is only a guess that saves a query. The statement that stores a call tests the portal's
state and token hash itself, so nothing that is remembered here outlives an uninstall or a new token, in any
process. That a token is wrong is never remembered: a reinstallation in another process makes it right. The
portal is read again, and all events that wait for that share one read, so that forged ones cost less than
good ones.
"""

import hmac
from collections import OrderedDict
from dataclasses import dataclass

from app.kit.shared_reads import SharedReads
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
    """Portals by `member_id`; beyond the bound the one that was remembered first is forgotten."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._portals: OrderedDict[str, Portal] = OrderedDict()
        self._reads = SharedReads(queries.find_portals)

    async def recognise(self, member_id: str, application_token: str) -> Sender | Portal | None:
        """The sender whose `application_token` this is, compared in constant time, if it is installed.

        Else the portal as stored now, whose token is another one or not known, or None if there is no such.
        """
        token_hash = self._vault.hash_application_token(application_token)
        remembered = self._portals.get(member_id)
        if remembered is not None and _matches(remembered, token_hash):
            return Sender(remembered, token_hash)
        return await self._look(member_id, token_hash)

    async def recognise_now(self, member_id: str, application_token: str) -> Sender | Portal | None:
        """The same by what is stored now: for whoever does not test the row again while writing."""
        return await self._look(member_id, self._vault.hash_application_token(application_token))

    async def _look(self, member_id: str, token_hash: str) -> Sender | Portal | None:
        portal = await self.find(member_id) if member_id else None
        return Sender(portal, token_hash) if portal is not None and _matches(portal, token_hash) else portal

    async def find(self, member_id: str) -> Portal | None:
        """The portal as stored now, installed or not."""
        portal = await self._reads.find(member_id)
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
