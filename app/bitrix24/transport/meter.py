"""A bound on the work that a server can cause by one answer: more bytes of body allow more work. Pure.

Even the smallest piece of a body costs about 25 µs, a read from a connection 80 µs, and a line of a head up
to 50 µs (when many answers of `100 Continue` come).
"""

from app.bitrix24.errors import Unreachable

FREE_CHUNKS = 512  # Pieces of a body that may be of any size.
LEAST_CHUNK_BYTES = 512  # The least average size of all further pieces; servers send 4 to 16 KiB.
MAX_OVERHEAD_BYTES = 16_384  # Head, framing and trailers; heads have 1 to 4 KiB.
OVERHEAD_SHARE = 8  # For so many bytes of the body, framing may take one byte.
MAX_HEAD_LINES = 256
MAX_TLS_BYTES = 262_144  # For TLS itself: its handshake and bytes read ahead. OVERHEAD_SHARE comes on top.
HEAD_READ_BYTES = 4_096  # Before the body begins, reads are this small, because lines cost most.
BODY_READ_BYTES = 16_384  # A record of TLS.
FREE_SMALL_READS = 64  # After so many, each small read is followed by a wait, in which more bytes gather.
SMALL_BYTES = 4_096


class Meter:
    """Counts the bytes and pieces that one connection receives for each request in turn."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin with the whole allowance again, because a request is sent."""
        self._received = self._passed = self._chunks = self._head_lines = self._small_reads = 0
        self._on_the_way = 0

    def next_read(self) -> int:
        """How many bytes may be read next; raises Unreachable when too many came beside the body."""
        overhead = self._received - self._passed
        if overhead > MAX_OVERHEAD_BYTES + self._passed // OVERHEAD_SHARE:
            raise Unreachable("the answer has too much beside its body")
        if not self._passed and self._head_lines > MAX_HEAD_LINES:
            raise Unreachable("the answer's head has too many lines")
        return BODY_READ_BYTES if self._passed else HEAD_READ_BYTES

    def note_read(self, data: bytes) -> None:
        """Count bytes that were read."""
        self._received += len(data)
        if not self._passed:
            self._head_lines += data.count(b"\n")

    def note_chunk(self, size: int) -> None:
        """Count a piece of the body; raises Unreachable when there are too many pieces for their size."""
        self._passed += size
        self._chunks += 1
        if self._chunks > FREE_CHUNKS + self._passed // LEAST_CHUNK_BYTES:
            raise Unreachable("the answer comes in too many small pieces")

    def note_piece(self, size: int) -> bool:
        """Count bytes that came from the wire or out of TLS; returns whether to wait before the next read.

        Raises Unreachable when TLS itself sends too much. Encrypted bytes are counted twice: on the wire and
        out of TLS.
        """
        self._on_the_way += size
        if self._on_the_way > MAX_TLS_BYTES + 2 * self._received + self._received // OVERHEAD_SHARE:
            raise Unreachable("the connection has too much beside the answer")
        if size >= SMALL_BYTES:
            return False
        self._small_reads += 1
        return self._small_reads > FREE_SMALL_READS
