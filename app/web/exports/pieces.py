"""An export under way: pieces of a file, and how they reach a program or the tab."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec


class Piece(NamedTuple):
    """How many calls have been written by now, and what the file goes on with; either may say nothing new."""

    rows: int
    content: bytes


class Progress(msgspec.Struct, frozen=True):
    """The line before each part of a file in the tab; `of` is what was counted when the export began, or
    null where that took too long.
    """

    rows: int
    of: int | None
    bytes: int
    end: bool = False


async def plain(pieces: AsyncIterator[Piece]) -> AsyncIterator[bytes]:
    """The file and nothing else."""
    async for piece in pieces:
        if piece.content:
            yield piece.content


async def with_progress(pieces: AsyncIterator[Piece], total: int | None) -> AsyncIterator[bytes]:
    """The file for the tab: each part after a line that says how far it is and how many bytes follow.

    Only the last line says `end`, so that what was cut off on the way cannot look complete.
    """
    rows = 0
    async for piece in pieces:
        rows = piece.rows
        of = None if total is None else max(rows, total)
        yield _line(Progress(rows, of, len(piece.content))) + piece.content
    yield _line(Progress(rows, rows, 0, end=True))


def _line(progress: Progress) -> bytes:
    return msgspec.json.encode(progress) + b"\n"
