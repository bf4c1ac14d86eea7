"""An export under way: the pieces of a file, and their form for a program and for the tab."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec


class Piece(NamedTuple):
    """The number of calls written so far, and the next bytes of the file, which may be none."""

    rows: int
    content: bytes


class Progress(msgspec.Struct, frozen=True):
    """The line before each part of a file for the tab; `of` is the number of calls when the export began, or
    null if counting took too long.
    """

    rows: int
    of: int | None
    bytes: int
    end: bool = False


async def plain(pieces: AsyncIterator[Piece]) -> AsyncIterator[bytes]:
    """The bytes of the file and nothing else."""
    async for piece in pieces:
        if piece.content:
            yield piece.content


async def with_progress(pieces: AsyncIterator[Piece], total: int | None) -> AsyncIterator[bytes]:
    """The file for the tab: each part after a line with the progress and the number of bytes that follow.

    Only the last line has a true `end`, so a file that was cut off cannot look complete.
    """
    rows = 0
    async for piece in pieces:
        rows = piece.rows
        of = None if total is None else max(rows, total)
        yield _line(Progress(rows, of, len(piece.content))) + piece.content
    yield _line(Progress(rows, rows, 0, end=True))


def _line(progress: Progress) -> bytes:
    return msgspec.json.encode(progress) + b"\n"
