"""Which portals no page but the installer's installs again: those that the vendor forgot, for good, and for a
day those of which the authorization server said that they uninstalled the application.

A tab that was open all the while would else bring back what somebody has just ended. Nor does an event that
was on its way install what was forgotten: it waits for the installer page (decision 0024).
"""

from app.kit.clock import Clock
from app.kit.fairness.shared_reads import SharedReads
from app.portals.absence import tombstone_queries
from app.portals.vault import Vault

BARRED_AFTER_UNINSTALL_S = 24 * 3600  # Longer than a token of an open tab lives, or the server is late.


class Tombstones:
    """Remembers them by a keyed hash, so that of a portal that was forgotten no name is left."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._barred = SharedReads(self._find_barred)

    async def forget(self, member_id: str) -> None:
        """The vendor forgot this portal: until its installer page comes."""
        await tombstone_queries.bar(self._vault.hash_member_id(member_id), self._clock.now(), None)

    async def note_uninstall(self, member_id: str) -> None:
        """Its uninstall was confirmed: for a day, or until its installer page comes."""
        now = self._clock.now()
        member_hash = self._vault.hash_member_id(member_id)
        await tombstone_queries.bar(member_hash, now, now + BARRED_AFTER_UNINSTALL_S)

    async def is_barred(self, member_id: str) -> bool:
        """Whether only an installation installs it; those who ask at the same time share one look."""
        return await self._barred.find(self._vault.hash_member_id(member_id)) is not None

    async def is_barred_now(self, member_id: str) -> bool:
        """The same within a transaction that the caller opened."""
        return await tombstone_queries.is_barred(self._vault.hash_member_id(member_id), self._clock.now())

    async def is_forgotten(self, member_id: str) -> bool:
        """Whether the vendor forgot it, so that no event installs it either."""
        return bool(await self._barred.find(self._vault.hash_member_id(member_id)))

    async def is_forgotten_now(self, member_id: str) -> bool:
        """The same within a transaction that the caller opened."""
        return await tombstone_queries.is_forgotten(self._vault.hash_member_id(member_id))

    async def lift(self, member_id: str) -> bool:
        """It was installed; whether anything barred it."""
        return await tombstone_queries.lift(self._vault.hash_member_id(member_id))

    async def _find_barred(self, member_hashes: set[str]) -> dict[str, bool]:
        return await tombstone_queries.find_barred(member_hashes, self._clock.now())
