"""One clock for a test and for the processes that it starts: the time stands in a file."""

import mmap
import struct
from pathlib import Path


class SharedClock:
    """Tells the time that was written last, by whichever process."""

    def __init__(self, path: Path, now: int | None = None) -> None:
        """Open the file; with a time, make it."""
        if now is not None:
            path.write_bytes(struct.pack("q", now))
        self.path = path
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), 8)

    def now(self) -> int:
        """As `Clock` says."""
        at: int = struct.unpack("q", self._bytes[:8])[0]
        return at

    def set(self, at: int) -> None:
        """Move the time, for everybody."""
        self._bytes[:8] = struct.pack("q", at)
