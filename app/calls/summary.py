"""What a list of calls adds up to. Pure."""

import msgspec

COUNTED_CALLS = 100_000


class Summary(msgspec.Struct, frozen=True):
    """Counts of calls, and the seconds that the answered ones lasted.

    Of more calls than 100,000 the newest are counted: `is_partial`.
    """

    calls: int
    answered: int
    missed: int
    unknown: int
    talk_s: int

    @property
    def is_partial(self) -> bool:
        """Whether there are more calls than were counted."""
        return self.calls > COUNTED_CALLS

    @property
    def answer_rate(self) -> float | None:
        """The share of answered calls among those whose outcome is known; None when there is none."""
        known = self.calls - self.unknown
        return self.answered / known if known else None
