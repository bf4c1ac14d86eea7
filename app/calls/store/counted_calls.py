"""Whether Bitrix24's statistics confirm a call, and so whether it counts. Pure.

A call that came by event and is missing from the statistics has one of two causes. A user of the portal
forged it, because the portal's token for events passes through the users' browsers; or the owner of our token
may not see it. While several operators are affected, the owner's rights are the likely cause, and then these
calls count. A call that the statistics showed once and show no longer was deleted at the portal, and never
counts.
"""

import msgspec

# Ten minutes by which the statistics may be behind the event, and ten by which our clocks may be changed
# meanwhile.
GRACE_S = 1_200


class Counting(msgspec.Struct, frozen=True):
    """The judgement of one portal's reads about calls that only events told of.

    `looked_at`: when the last whole read began, by our clock (None: there was none). `is_limited`: rows, or
    several operators' calls, are hidden from the owner of our token. `counts_all`: several operators' calls
    are hidden, so calls in doubt count. Rows that were shown and are hidden now do not set `counts_all`:
    their calls stay confirmed, and count anyway.
    """

    looked_at: int | None = None
    is_limited: bool = False
    counts_all: bool = False

    @property
    def doubted_before(self) -> int:
        """A moment. A call whose event came before it should be confirmed by now; if it is not, the
        statistics lack the call.
        """
        return 0 if self.looked_at is None else self.looked_at - GRACE_S

    @property
    def counted_from(self) -> int:
        """A moment. A call whose event came at it or later counts even if the statistics never showed the
        call.
        """
        return 0 if self.counts_all else self.doubted_before

    def judge(self, received_at: int, *, is_confirmed: bool, is_gone: bool) -> bool | None:
        """Whether a call is confirmed (`confirmed` in docs/interface.md); None while that is not known. A
        call that is gone is not confirmed.
        """
        if is_confirmed:
            return True
        return False if is_gone or received_at < self.doubted_before else None
