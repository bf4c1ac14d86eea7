"""Portals that only the installer page can install again. After the vendor forgot a portal, this holds for
good. After the authorization server has confirmed an uninstall, it holds for a day.

Else a tab that was open all the time would bring back an installation that has just been ended. An event that
was on its way does not install a forgotten portal either: it waits for the installer page (decision 0024).
"""

from app.kit.clock import Clock
from app.kit.fairness.shared_reads import SharedReads
from app.portals.absence import tombstone_queries
from app.portals.vault import Vault

# Longer than the token of an open tab lives. Also longer than the time after an uninstall in which the
# authorization server may still accept the portal's tokens.
BARRED_AFTER_UNINSTALL_S = 24 * 3600


class Tombstones:
    """The notes of these portals, by a keyed hash, so that no name of a forgotten portal is left."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._barred = SharedReads(self._find_barred)

    async def forget(self, member_id: str) -> None:
        """Bar the portal, because the vendor forgot it, until its installer page comes."""
        await tombstone_queries.bar(self._vault.hash_member_id(member_id), self._clock.now(), None)

    async def note_uninstall(self, member_id: str) -> None:
        """Bar the portal, because its uninstall is confirmed, for a day or until its installer page comes."""
        now = self._clock.now()
        member_hash = self._vault.hash_member_id(member_id)
        await tombstone_queries.bar(member_hash, now, now + BARRED_AFTER_UNINSTALL_S)

    async def is_barred(self, member_id: str) -> bool:
        """Whether the portal is barred; callers at the same time share one read."""
        return await self._barred.find(self._vault.hash_member_id(member_id)) is not None

    async def is_barred_now(self, member_id: str) -> bool:
        """The same within a transaction that the caller opened."""
        return await tombstone_queries.is_barred(self._vault.hash_member_id(member_id), self._clock.now())

    async def is_forgotten(self, member_id: str) -> bool:
        """Whether the vendor forgot the portal, so that no event installs it either."""
        return bool(await self._barred.find(self._vault.hash_member_id(member_id)))

    async def is_forgotten_now(self, member_id: str) -> bool:
        """The same within a transaction that the caller opened."""
        return await tombstone_queries.is_forgotten(self._vault.hash_member_id(member_id))

    async def lift(self, member_id: str) -> bool:
        """Delete the note, because the portal was installed; return whether there was one."""
        return await tombstone_queries.lift(self._vault.hash_member_id(member_id))

    async def _find_barred(self, member_hashes: set[str]) -> dict[str, bool]:
        return await tombstone_queries.find_barred(member_hashes, self._clock.now())
