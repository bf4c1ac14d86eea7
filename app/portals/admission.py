"""Which tokens the authorization server is asked about: a flood of guesses causes few outbound calls, and
locks out nobody who is honest.

A guess looks like an honest visit until it is answered, so each is paid for first. Who pays how:

- whoever had a token confirmed in this portal before pays for themselves alone;
- their neighbours in the same network share a budget of that network;
- a network of which no token was ever refused pays from a part of the portal's budget that is kept for
  newcomers;
- everybody else, the flood among them, shares the other part.

An attempt is given back when the token is confirmed, and only then: neither a refusal nor silence is free.
"""

import hashlib
from dataclasses import dataclass

from app.kit.clock import Clock
from app.portals.budget import Budget, Limits, Purse, RecentlySeen
from app.portals.sources import find_network, find_subscriber

REJECTED_FOR_S = 600
SUSPECT_FOR_S = 3600
WELCOME_FOR_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of itself and has yet to prove."""

    member_id: str
    access_token: str
    server_endpoint: str | None
    source: str

    @property
    def key(self) -> str:
        """A name for this token in this portal that does not tell it."""
        return hashlib.sha256(f"{self.member_id}:{self.access_token}".encode()).hexdigest()


class Admission:
    """Takes payment for attempts and remembers how they ended."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        half = limits.rejections_per_portal // 2
        self._rejected = RecentlySeen(clock)
        self._suspect = RecentlySeen(clock)
        self._welcome = RecentlySeen(clock)
        self._by_source = Budget(clock, limits.rejections_per_source)
        self._by_network = Budget(clock, limits.rejections_per_source)
        self._newcomers = Budget(clock, half)
        self._everybody = Budget(clock, half)

    def is_rejected(self, claim: Claim) -> bool:
        """Whether this very token was refused in the last ten minutes."""
        return claim.key in self._rejected

    def admit(self, claim: Claim) -> list[Purse]:
        """Take payment before asking, so that many guesses at once are not all asked before the first one
        counts. Raises TooManyRequests.
        """
        paying = [Purse(self._by_source, find_subscriber(claim.source))]
        if choice := self._list_purses(claim):
            paying.append(next((purse for purse in choice if purse.has_some()), choice[-1]))
        for purse in paying:
            purse.spend()
        return paying

    def reject(self, claim: Claim) -> None:
        """Its token was refused."""
        self._rejected.remember(claim.key, REJECTED_FOR_S)
        self._suspect.remember(_in_portal(claim, find_network(claim.source)), SUSPECT_FOR_S)

    def welcome(self, claim: Claim, paid: list[Purse]) -> None:
        """Its token was confirmed."""
        for purse in paid:
            purse.give_back()
        for place in (find_subscriber(claim.source), find_network(claim.source)):
            self._welcome.remember(_in_portal(claim, place), WELCOME_FOR_S)

    def _list_purses(self, claim: Claim) -> list[Purse]:
        """Which of the portal's budgets may pay besides the source's own, the preferred one first."""
        if _in_portal(claim, find_subscriber(claim.source)) in self._welcome:
            return []
        network = _in_portal(claim, find_network(claim.source))
        everybody = Purse(self._everybody, claim.member_id)
        if network in self._welcome:
            return [Purse(self._by_network, network), everybody]
        return (
            [everybody] if network in self._suspect else [Purse(self._newcomers, claim.member_id), everybody]
        )


def _in_portal(claim: Claim, place: str) -> str:
    return f"{claim.member_id}:{place}"
