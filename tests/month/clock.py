"""One clock for a test and for the processes that it starts: a file holds the time."""

import mmap
import struct
from pathlib import Path

FORMAT = "qq"
BYTES = struct.calcsize(FORMAT)


class SharedClock:
    """The true time, which is the portal's and only goes forward, and beside it the wall clock of Callbook's
    machine, which steps. All processes read the values that one of them wrote last.
    """

    def __init__(self, path: Path, now: int | None = None) -> None:
        """Open the file; if `now` is given, make it."""
        if now is not None:
            path.write_bytes(struct.pack(FORMAT, now, 0))
        self.path = path
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), BYTES)
        self.wall = WallClock(self)

    def now(self) -> int:
        """As `Clock` says."""
        return self._read()[0]

    @property
    def ahead_s(self) -> int:
        """The seconds by which the wall clock is ahead of the true time; negative if it is behind."""
        return self._read()[1]

    def set(self, at: int) -> None:
        """Move the time for all processes; the wall clock moves along."""
        self._bytes[:BYTES] = struct.pack(FORMAT, at, self.ahead_s)

    def step(self, ahead_s: int) -> None:
        """Set the wall clock; the true time, by which all monotonic clocks go, does not move."""
        self._bytes[:BYTES] = struct.pack(FORMAT, self.now(), ahead_s)

    def _read(self) -> tuple[int, int]:
        at, ahead_s = struct.unpack(FORMAT, self._bytes[:BYTES])
        return at, ahead_s


class WallClock:
    """The clock of Callbook's machine."""

    def __init__(self, shared: SharedClock) -> None:
        self._shared = shared

    def now(self) -> int:
        """As `Clock` says."""
        return self._shared.now() + self._shared.ahead_s
