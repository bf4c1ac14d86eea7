"""The leaky bucket of limits.md: drains 2 a second, blocks above 50 (Enterprise: 5 and 250)."""

from collections.abc import Callable

from app.demo.core.faults import Refusal


class Bucket:
    """The request counter of one portal; without a limit (None) it never refuses."""

    def __init__(
        self, monotonic: Callable[[], float], limit: int | None = 50, drain_per_s: float = 2
    ) -> None:
        self.limit = limit
        self.drain_per_s = drain_per_s
        self.level = 0.0
        self.refusals = 0
        self._monotonic = monotonic
        self._seen_at = monotonic()

    def take(self) -> None:
        """Count one request; raises Refusal QUERY_LIMIT_EXCEEDED (503) when it would exceed the limit."""
        now = self._monotonic()
        self.level = max(0.0, self.level - (now - self._seen_at) * self.drain_per_s)
        self._seen_at = now
        if self.limit is not None and self.level + 1 > self.limit:
            self.refusals += 1
            raise Refusal("QUERY_LIMIT_EXCEEDED", 503, "Too many requests")
        self.level += 1


class OperatingTime:
    """Execution time by app and method: 480 s in ten minutes, then 429 until the window ends.

    settings/performance/limits.md, "Resource Intensity Limits".
    """

    WINDOW_S = 600
    LIMIT_S = 480.0

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._used_s: dict[str, tuple[int, float]] = {}
        self.refusals = 0

    def spend(self, method: str, seconds: float) -> None:
        """Add execution time to a method; raises Refusal OPERATION_TIME_LIMIT (429) once it is used up."""
        reset_at, used_s = self.read(method)
        if used_s >= self.LIMIT_S:
            self.refusals += 1
            raise Refusal("OPERATION_TIME_LIMIT", 429, "Method is blocked due to operation time limit.")
        self._used_s[method] = (reset_at, used_s + seconds)

    def read(self, method: str) -> tuple[int, float]:
        """The end of a method's window in Unix seconds, and the seconds that it has used in the window."""
        reset_at, used_s = self._used_s.get(method, (0, 0.0))
        if reset_at <= self._now():
            return self._now() + self.WINDOW_S, 0.0
        return reset_at, used_s
