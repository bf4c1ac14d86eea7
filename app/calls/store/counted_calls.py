"""Whether Bitrix24's statistics confirm a call, and so whether it counts. Pure.

A call that came by event and is missing from the statistics was forged by a user of the portal, through whose
browser the portal's token for events passes, or it is one that the owner of our token may not see. While
several operators are affected, the owner's rights are the likely cause, and then these calls count. A call
that the statistics showed and show no longer was deleted at the portal, and never counts.
"""

import msgspec

# The statistics may be ten minutes behind the event, and our clocks may have stepped by as much meanwhile.
GRACE_S = 1_200


class Counting(msgspec.Struct, frozen=True):
    """What the reads of one portal's statistics say of calls that only events told of.

    `looked_at`: by our clock, when the last whole read began; None before the first one. `is_limited`: rows
    or several operators' calls are hidden from the owner of our token. `counts_all`: only several operators'
    calls are a reason to count calls that are in doubt; a row that is hidden now is confirmed, and counts.
    """

    looked_at: int | None = None
    is_limited: bool = False
    counts_all: bool = False

    @property
    def doubted_before(self) -> int:
        """A call that was received earlier and is not confirmed is missing from the statistics."""
        return 0 if self.looked_at is None else self.looked_at - GRACE_S

    @property
    def counted_from(self) -> int:
        """Calls that the statistics never showed count if they were received at this moment or later."""
        return 0 if self.counts_all else self.doubted_before

    def judge(self, received_at: int, *, is_confirmed: bool, is_gone: bool) -> bool | None:
        """`confirmed` of a call (interface.md): None is not yet known. One that is gone was known, and is not
        there any more.
        """
        if is_confirmed:
            return True
        return False if is_gone or received_at < self.doubted_before else None
