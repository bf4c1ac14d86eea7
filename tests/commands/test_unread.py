"""Connections do not stay if their other side takes no bytes."""

import asyncio
import contextlib
import socket
import sys

import pytest

from app.commands.processes import limit_unread
from tests.patience import PATIENCE_S


@pytest.mark.skipif(sys.platform != "linux", reason="no other system can be told")
async def test_a_connection_whose_other_side_does_not_read_is_ended_by_the_system() -> None:
    """An orderly close would wait for ever, because it first sends all that is left."""
    listener = socket.create_server(("127.0.0.1", 0))
    limit_unread(listener, 0.5)
    ended = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(20_000_000))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(answer, sock=listener):
        _, silent = await asyncio.open_connection(*listener.getsockname())
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        silent.transport.abort()
