"""Which tokens the authorization server is asked about: a flood of guesses causes few outbound calls and
locks out no honest visitor (decision 0022).

A guess looks like an honest visit until the server answers, so each attempt is counted before the question.
The attempts of a minute have three shares:

- A request that names no installed portal is a stranger's. It is counted by provider, by network, and within
  the network by subscriber.
- A request that names an installed portal, as anyone can, is counted by provider and network too, and within
  the network by portal.
- A request that brings the portal's application token is counted by portal, and within the portal by sender.
  So is a request from a subscriber or network from which a token of this portal was confirmed in the last
  day. After too many refusals in the portal these requests count by network like the others.

An attempt is given back only if its token is confirmed: neither a refusal nor silence is free.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from app.kit.clock import Clock
from app.kit.fairness.budget import Limits, RecentlySeen
from app.kit.fairness.subscribers import find_network, find_provider, find_subscriber
from app.portals.entrance.attempts import FairBudget, Path
from app.portals.entrance.standing import Standing

REJECTED_FOR_S = 600
WELCOME_FOR_S = 24 * 3600
# In a minute. The open tabs of a portal bring fewer expired tokens; guesses come in hundreds.
REFUSED_OF_PORTAL = 20
HOLDER = "holds the application token"  # From any network.
GiveBack = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The facts that a request claims about itself, not yet proven."""

    member_id: str
    access_token: str = field(repr=False)
    server_endpoint: str | None
    client_address: str
    standing: Standing

    @property
    def key(self) -> str:
        """A name for this token in this portal that does not reveal the token."""
        return hashlib.sha256(f"{self.member_id}:{self.access_token}".encode()).hexdigest()


class Admission:
    """Counts questions and remembers their answers."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._rejected = RecentlySeen(clock)
        self._welcome = RecentlySeen(clock)
        strangers, known, proven = (
            limits.questions_of_strangers,
            limits.questions_about_known,
            limits.questions_of_proven,
        )
        self._strangers = FairBudget(clock, strangers, strangers // 2, limits.questions_per_group)
        self._known = FairBudget(clock, known, known // 2, limits.questions_per_group)
        self._proven = FairBudget(clock, proven, limits.questions_per_group)
        self._refused = FairBudget(clock, proven, REFUSED_OF_PORTAL)

    def is_rejected(self, claim: Claim) -> bool:
        """Whether this token was refused in the last ten minutes."""
        return claim.key in self._rejected

    def admit(self, claim: Claim) -> GiveBack:
        """Count the attempt and return a function that gives it back; raises TooManyRequests.

        The caller counts before it asks. Else many guesses at once would all be asked before the first of
        them is counted.
        """
        shares, path = self._choose(claim)
        return partial(shares.give_back, shares.take(*path))

    def reject(self, claim: Claim) -> None:
        """Remember that the claim's token was refused."""
        self._rejected.remember(claim.key, REJECTED_FOR_S)
        if (within := self._find_within(claim)) is not None:
            self._refused.charge(claim.member_id, within)

    def welcome(self, claim: Claim) -> None:
        """Remember that the claim's token was confirmed."""
        for whence in _list_whence(claim):
            self._welcome.remember(_in_portal(claim, whence), WELCOME_FOR_S)

    def _choose(self, claim: Claim) -> tuple[FairBudget, Path]:
        """The share from which the claim takes an attempt, and the path of that attempt (see `Attempt`)."""
        subscriber, network = _list_whence(claim)
        provider = find_provider(claim.client_address)
        if claim.standing is Standing.STRANGER:
            return self._strangers, (provider, network, subscriber)
        within = self._find_within(claim)
        if within is not None and self._refused.has_room(claim.member_id, within):
            return self._proven, (claim.member_id, within)
        return self._known, (provider, network, claim.member_id)

    def _find_within(self, claim: Claim) -> str | None:
        """The name by which attempts within the portal count this sender: HOLDER if it brings the application
        token, else its subscriber or network if a token of the portal was confirmed from there. None for any
        other sender.
        """
        if claim.standing is Standing.PROVEN:
            return HOLDER
        if claim.standing is Standing.KNOWN:
            for whence in _list_whence(claim):
                if _in_portal(claim, whence) in self._welcome:
                    return whence
        return None


def _list_whence(claim: Claim) -> tuple[str, str]:
    return find_subscriber(claim.client_address), find_network(claim.client_address)


def _in_portal(claim: Claim, whence: str) -> str:
    return f"{claim.member_id}:{whence}"
