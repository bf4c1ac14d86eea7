"""A stream of audio ends when the listener leaves, when the stream is slow, and when its time is over."""

import asyncio

import httpx
import pytest

from app.bitrix24.transport import media as media_module
from app.bitrix24.transport.media import CHUNK_BYTES
from app.calls.log import recordings as recordings_module
from app.web.call.audio_stream import LONGEST_S
from app.web.http.stream_places import OF_AUDIO
from tests.patience import wait_until
from tests.web.call.studio import (
    WHOLE,
    Studio,
    drip,
    drip_after,
    lead_to,
    told_length,
    until_free,
    untold,
)
from tests.web.recording_server import Exchange, Source

SOON_S = 0.05  # Limits of ours in these tests: each is waited for, and nothing else has to be quicker.
LONG = bytes(range(256)) * 40_000  # More than sockets and buffers hold on the way.


async def test_no_stream_lasts_longer_than_ten_minutes(
    studio: Studio, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that takes a little each minute once held one of few places for ever."""
    assert LONGEST_S == 600
    monkeypatch.setattr("app.web.call.audio_stream.LONGEST_S", SOON_S)
    url = await lead_to(studio, source, drip_after(CHUNK_BYTES))
    with pytest.raises(httpx.RemoteProtocolError):
        await studio.callbook.client.get(url)
    await until_free(studio)
    await source.exchanges[0].is_over.wait()


async def test_a_recording_that_comes_byte_by_byte_ends(
    studio: Studio, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with a sentence if nothing was sent yet, and costs no more than the wait."""
    monkeypatch.setattr(media_module, "OPEN_TIMEOUT_S", SOON_S)
    answer = await studio.callbook.client.get(await lead_to(studio, source, drip_after(10)))
    assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable")
    assert "Try again in a minute" in answer.json()["detail"]
    monkeypatch.setattr(media_module, "OPEN_TIMEOUT_S", 60)
    monkeypatch.setattr(recordings_module, "FIND_TIMEOUT_S", SOON_S)
    answer = await studio.callbook.client.get(await lead_to(studio, source, drip_after(10)))
    assert (answer.status_code, answer.json()["code"]) == (503, "recording_unavailable")
    for exchange in source.exchanges:
        await exchange.is_over.wait()
    await until_free(studio)


async def test_a_recording_that_drips_after_its_beginning_is_cut_off(
    studio: Studio, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is shortened while the second chunk is awaited, so that the third is the first to feel it."""
    may_drip = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        await exchange.answer("200 OK", WHOLE[:CHUNK_BYTES], **told_length(10**6))
        await may_drip.wait()
        exchange.writer.write(bytes(CHUNK_BYTES))
        await drip(exchange)

    url = await lead_to(studio, source, behave)
    async with studio.callbook.client.stream("GET", url) as answer:
        chunks = answer.aiter_raw()
        await anext(chunks)
        monkeypatch.setattr(media_module, "CHUNK_TIMEOUT_S", SOON_S)
        may_drip.set()
        with pytest.raises(httpx.RemoteProtocolError):
            async for _ in chunks:
                pass
    await source.exchanges[0].is_over.wait()
    await until_free(studio)


async def test_a_listener_who_leaves_ends_the_request_to_the_portal(studio: Studio, source: Source) -> None:
    """While the listener does not read, no more is fetched than the way to them holds."""

    async def behave(exchange: Exchange) -> None:
        await exchange.answer("200 OK", LONG, Content_Type="audio/mpeg", Content_Length=str(len(LONG)))

    url = await lead_to(studio, source, behave)
    async with studio.callbook.client.stream("GET", url) as answer:
        assert answer.status_code == 200
        exchange = source.exchanges[0]
        await until_the_way_is_full(exchange)
        assert exchange.written < len(LONG)
        assert studio.callbook.parts.audio_places.count == 1
    await exchange.is_over.wait()
    assert exchange.written < len(LONG)
    await until_free(studio)


async def until_the_way_is_full(exchange: Exchange) -> None:
    """The source has written no more between two looks."""
    seen = [-1]

    def is_full() -> bool:
        seen.append(exchange.written)
        return exchange.written > 0 and seen[-1] == seen[-2]

    await wait_until(is_full)


async def test_a_listener_who_leaves_before_the_first_byte_is_noticed_too(
    studio: Studio, source: Source
) -> None:
    waiting = asyncio.Event()

    async def behave(exchange: Exchange) -> None:
        waiting.set()
        await asyncio.Event().wait()

    url = await lead_to(studio, source, behave)
    request = asyncio.create_task(studio.callbook.client.get(url))
    await waiting.wait()
    assert studio.callbook.parts.audio_places.count == 1
    request.cancel()
    await until_free(studio)


@pytest.mark.quick
async def test_nobody_plays_more_than_four_at_once(studio: Studio, source: Source) -> None:
    started = asyncio.Semaphore(0)

    async def behave(exchange: Exchange) -> None:
        started.release()
        await asyncio.Event().wait()

    url = await lead_to(studio, source, behave)
    requests = [asyncio.create_task(studio.callbook.client.get(url)) for _ in range(OF_AUDIO.per_user)]
    for _ in requests:
        await started.acquire()
    refused = await studio.callbook.client.get(url)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["retry-after"] == "5"
    assert "Stop one" in refused.json()["detail"]
    for request in requests:
        request.cancel()
    await until_free(studio)
    source.behave = untold
    assert (await studio.callbook.client.get(url)).status_code == 200
