"""Announced uninstalls are noted one at a time for each portal, and only if the note changes something.

Anyone in a portal can announce an uninstall at will. If each announcement were noted, its five statements
would go before the events of all portals. So announcements that come at the same time share one read of the
note, and a repeated announcement writes nothing.
"""

import asyncio
from dataclasses import dataclass

from app.kit.clock import Clock
from app.kit.fairness.shared_reads import SharedReads
from app.portals.absence import uninstall_queries
from app.portals.absence.uninstall_queries import Noted, TakenCheck
from app.portals.model import Portal


@dataclass(frozen=True, slots=True)
class Standing:
    """A portal's installation and the note of its uninstall, as stored now."""

    is_installed: bool
    noted: Noted | None


class Announcements:
    """The announced uninstalls that this process notes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standings = SharedReads(_read_standings)
        self._noting: dict[int, asyncio.Future[None]] = {}  # By portal, while its note is being written.

    async def find(self, portal_id: int) -> Standing:
        """The portal's standing now; an unknown portal is not installed."""
        standing = await self._standings.find(str(portal_id))
        return standing or Standing(is_installed=False, noted=None)

    async def note(self, portal: Portal, *, is_clean: bool) -> TakenCheck | None:
        """Note an announcement. Return the lease of a check, which the caller then makes; None if another
        check is under way or the last one ended a moment ago.
        """
        while not await self._is_noted(portal, is_clean=is_clean):
            under_way = self._noting.get(portal.id)
            if under_way is None:
                return await self._write(portal, is_clean=is_clean)
            await asyncio.shield(under_way)
        return None

    async def _is_noted(self, portal: Portal, *, is_clean: bool) -> bool:
        noted = (await self.find(portal.id)).noted
        if noted is None or noted.generation != portal.generation or noted.is_unannounced:
            return False
        is_as_careful = is_clean or not noted.is_clean
        return is_as_careful and noted.is_resting(self._clock.now())

    async def _write(self, portal: Portal, *, is_clean: bool) -> TakenCheck | None:
        """Write the note while other callers wait; return the lease of a check, as `note` does. If the
        writing fails, one of the waiting callers tries next.

        The note is read once more first, because another caller may have written it since the last read.
        """
        done = self._noting[portal.id] = asyncio.get_running_loop().create_future()
        now = self._clock.now()
        try:
            if await self._is_noted(portal, is_clean=is_clean):
                return None
            await uninstall_queries.note_uninstall(portal.id, portal.generation, now, is_clean=is_clean)
            return await uninstall_queries.take_check(portal.id, now)
        finally:
            del self._noting[portal.id]
            done.set_result(None)


async def _read_standings(portal_ids: set[str]) -> dict[str, Standing]:
    ids = {int(portal_id) for portal_id in portal_ids}
    installed = await uninstall_queries.find_installed(ids)
    noted = await uninstall_queries.find_noted(ids)
    return {str(one): Standing(one in installed, noted.get(one)) for one in ids}
