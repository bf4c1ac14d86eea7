"""One clock for a test and for the processes that it starts: the time stands in a file."""

import mmap
import struct
from pathlib import Path

FORMAT = "qq"
BYTES = struct.calcsize(FORMAT)


class SharedClock:
    """The true time, which is the portal's and only goes forward, and beside it the one that Callbook's
    machine shows, which steps. Both are told as they were written last, by whichever process.
    """

    def __init__(self, path: Path, now: int | None = None) -> None:
        """Open the file; with a time, make it."""
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
        """So far ahead of the true time the wall clock is; negative when it is behind."""
        return self._read()[1]

    def set(self, at: int) -> None:
        """Move the time, for everybody; the wall clock goes along."""
        self._bytes[:BYTES] = struct.pack(FORMAT, at, self.ahead_s)

    def step(self, ahead_s: int) -> None:
        """Set the wall clock; the true time, by which whatever is monotonic goes, does not move."""
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
