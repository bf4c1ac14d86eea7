"""A portal's stored pair, for `app.portals.tokens.purchases`, which spends this pair and keeps the next
one.
"""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from app.bitrix24.rest.oauth import TokenPair
from app.kit.clock import Clock
from app.kit.storage.database import DATABASE_ERRORS, is_refusal
from app.portals import queries
from app.portals.lifecycle import plan_renewal
from app.portals.model import Portal
from app.portals.tokens import purchase_queries
from app.portals.vault import StoredPair, Vault

log = structlog.get_logger(__name__)
STORE_AGAIN_S = 0.1  # Doubled after each attempt, up to the longest.
LONGEST_STORE_AGAIN_S = 2.0
Sleep = Callable[[float], Awaitable[None]]
Monotonic = Callable[[], float]


@dataclass(slots=True, kw_only=True)
class PortalPurse:
    """A pair and the right to spend it, which ends at `ends_at` by `monotonic`.

    `is_kept`: the new pair is stored. It stays False if the portal has another pair or installation by now.
    """

    portal: Portal
    spent: StoredPair
    vault: Vault
    clock: Clock
    sleep: Sleep
    monotonic: Monotonic
    ends_at: float
    is_kept: bool = field(default=False, init=False)

    @property
    def member_id(self) -> str:
        """The portal that the pair belongs to."""
        return self.portal.member_id

    @property
    def server(self) -> str:
        """The authorization server that confirmed the portal's installation."""
        return self.portal.oauth_server

    @property
    def refresh_token(self) -> str:
        """The secret that buys the next pair."""
        return self.spent.refresh_token

    async def read_record(self) -> Portal | None:
        """The portal as stored now; None if it has another pair or installation by now."""
        portal = await queries.get_portal(self.portal.id)
        if portal is None or not portal.is_installed:
            return None
        is_same = (portal.generation, portal.token_version) == (self.spent.generation, self.spent.version)
        return portal if is_same else None

    async def note(self, was_at: int, bought_at: int) -> bool:
        """Write `bought_at` as the time of the last purchase; False if the record is another by now."""
        return await purchase_queries.note_purchase(
            self.portal.id, self.spent.generation, self.spent.version, was_at, bought_at
        )

    async def keep(self, pair: TokenPair) -> None:
        """Store the new pair. If the database is away, try again while the right to the pair lasts: a new
        pair that is not stored is lost.
        """
        sealed = self.vault.seal_changes(self.portal.id, self._plan(pair))
        spent = self.spent
        for attempt in itertools.count():
            try:
                self.is_kept = await queries.update_unchanged(
                    self.portal.id, spent.generation, spent.version, sealed
                )
            except DATABASE_ERRORS as error:
                wait_s = min(STORE_AGAIN_S * 2**attempt, LONGEST_STORE_AGAIN_S)
                if is_refusal(error) or self.monotonic() + wait_s >= self.ends_at:
                    raise
                log.warning("new pair not stored yet", portal_id=self.portal.id, error=type(error).__name__)
                await self.sleep(wait_s)
            else:
                return

    def _plan(self, pair: TokenPair) -> dict[str, Any]:
        now = self.clock.now()
        return {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "token_version": self.spent.version + 1,
            "access_expires_at": now + pair.expires_in,
            "pair_stored_at": now,
            "pair_bought_at": now,
            "pair_dated_at": pair.expires_at,
            "renew_at": plan_renewal(self.portal.member_id, now),
            "token_state": "ok",
            "refresh_lease_id": None,
            "refresh_lease_until": 0,
            "license_status": pair.status or self.portal.license_status,
        }
