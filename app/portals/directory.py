"""The portal that an event belongs to, from memory: the hot path of ingest.

The memory only saves a query. The statement that stores a call tests the portal's state and token hash
itself, in every process, so an outdated entry admits nothing after an uninstall or a new token. A wrong token
is never remembered, because a reinstallation in another process may make it right: the portal is read again.
All events that wait for this read share it, so forged events cost less than good ones.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from app.kit.fairness.shared_reads import SharedReads
from app.kit.limited_memory import LimitedMemory
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
    """Senders by `member_id`, each with a digest of its token; beyond `MAX_PORTALS` the oldest entry goes.

    The digest is a fast hash under a key that only this process has, so no other process can use it. To
    compute it instead of the stored hash saves a twentieth of an event's time.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._key = secrets.token_bytes(32)
        self._senders = LimitedMemory[str, tuple[bytes, Sender]](MAX_PORTALS)
        self._reads = SharedReads(queries.find_portals)

    async def recognise(self, member_id: str, application_token: str) -> Sender | Portal | None:
        """The sender, if the portal is installed and this is its `application_token` (compared in constant
        time).

        Else the portal as stored now: it is not installed, its token is not known yet, or it has a different
        token. None if no portal has this `member_id`.
        """
        known = self._senders.get(member_id)
        if known is not None and hmac.compare_digest(known[0], self._digest(application_token)):
            return known[1]
        return await self.recognise_now(member_id, application_token)

    async def recognise_now(self, member_id: str, application_token: str) -> Sender | Portal | None:
        """As `recognise`, but always from the database: for a caller whose own statement does not test the
        row again.
        """
        portal = await self.find(member_id) if member_id else None
        token_hash = self._vault.hash_application_token(application_token)
        if portal is None or not _matches(portal, token_hash):
            return portal
        sender = Sender(portal, token_hash)
        self._senders[member_id] = self._digest(application_token), sender
        return sender

    async def find(self, member_id: str) -> Portal | None:
        """The portal as stored now, installed or not."""
        portal = await self._reads.find(member_id)
        known = self._senders.get(member_id)
        if known is not None and (portal is None or not _matches(portal, known[1].token_hash)):
            self.forget(member_id)
        return portal

    def forget(self, member_id: str) -> None:
        """Forget the portal, so that the next event reads it from the database."""
        self._senders.pop(member_id, None)

    def _digest(self, application_token: str) -> bytes:
        return hashlib.blake2b(application_token.encode(errors="replace"), key=self._key).digest()


def _matches(portal: Portal, token_hash: str) -> bool:
    stored = portal.application_token_hash
    return portal.is_installed and stored is not None and hmac.compare_digest(stored, token_hash)
