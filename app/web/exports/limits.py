"""How many exports may run at once in this process: each costs the database and the loop their share."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.kit.errors import TooManyRequests
from app.kit.words import N_

PER_USER = 1
PER_PORTAL = 3
OVERALL = 6
RETRY_AFTER_S = 10


class TooManyExports(TooManyRequests):
    """Others are under way; it may be tried again soon."""

    code = "too_many_exports"


class Exports:
    """The exports under way."""

    def __init__(
        self, per_user: int = PER_USER, per_portal: int = PER_PORTAL, overall: int = OVERALL
    ) -> None:
        self._per_user, self._per_portal, self._overall = per_user, per_portal, overall
        self._by_user: Counter[tuple[int, int]] = Counter()
        self._by_portal: Counter[int] = Counter()

    @property
    def count(self) -> int:
        """How many are under way."""
        return self._by_portal.total()

    @contextmanager
    def join(self, portal_id: int, user_id: int) -> Iterator[None]:
        """Count one while inside; raises TooManyExports."""
        self._check(portal_id, user_id)
        self._by_user[portal_id, user_id] += 1
        self._by_portal[portal_id] += 1
        try:
            yield
        finally:
            self._by_user -= Counter({(portal_id, user_id): 1})
            self._by_portal -= Counter({portal_id: 1})

    def _check(self, portal_id: int, user_id: int) -> None:
        if self._by_user[portal_id, user_id] >= self._per_user:
            raise TooManyExports(
                RETRY_AFTER_S,
                N_("You have an export under way. Let it finish, or cancel it, then try again."),
            )
        if self._by_portal[portal_id] >= self._per_portal or self.count >= self._overall:
            raise TooManyExports(RETRY_AFTER_S, N_("Others are exporting just now. Try again in a minute."))
