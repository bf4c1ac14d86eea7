"""A client that does not read its answer holds no place that others wait for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from litestar.response.streaming import ASGIStreamingResponse

from app.kit.fairness.places import Places
from app.web.exports.paced_stream import PacedAnswer
from app.web.http.stream_places import make_export_places
from tests.patience import PATIENCE_S, wait_until

SCOPE: Any = {"type": "http", "method": "GET", "path": "/"}


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()


async def write(exports: Places, pieces: int) -> AsyncIterator[bytes]:
    with exports.take(1, 1):
        for _ in range(pieces):
            yield b"piece"


@pytest.mark.parametrize("limits", [(0.05, 60.0), (60.0, 0.05)])
async def test_a_client_that_takes_no_piece_gives_up_its_place(limits: tuple[float, float]) -> None:
    exports = make_export_places()
    taken: list[bytes] = []

    async def send(message: Any) -> None:
        if taken:
            await never()
        if message.get("body"):
            taken.append(message["body"])

    answer = ASGIStreamingResponse(iterator=write(exports, 3))
    async with asyncio.timeout(PATIENCE_S):
        await PacedAnswer(answer, *limits)(SCOPE, never, send)
    assert exports.count == 0
    assert taken == [b"piece"]


async def test_a_client_that_reads_gets_everything() -> None:
    ended: list[bool] = []

    async def send(message: Any) -> None:
        ended.append(message["type"] == "http.response.body" and not message["more_body"])

    async def leave_at_the_end(*_: Any) -> Any:
        await wait_until(lambda: any(ended))
        return {"type": "http.disconnect"}

    answer = ASGIStreamingResponse(iterator=write(make_export_places(), 3))
    await PacedAnswer(answer)(SCOPE, leave_at_the_end, send)
    assert ended == [False, False, False, False, True]
