"""One HTTP request and its whole answer, bounded in size and time; JSON read from it."""

import asyncio
import json
from typing import Any

import httpx
import msgspec

from app.bitrix24.errors import AddressRefused, Unreachable
from app.bitrix24.text import without_surrogates

_MAX_DIGITS = 18  # Whatever has no more fits 64 bits.


class Reply(msgspec.Struct, frozen=True):
    """An answer as it came over the wire."""

    status: int
    location: str | None
    body: bytes


async def transfer(http: httpx.AsyncClient, request: httpx.Request, *, limit: int, total_s: float) -> Reply:
    """Send the request and read at most `limit` bytes within `total_s` seconds.

    Raises Unreachable for all that the network can do, AddressRefused when the guard refuses. The cause is
    not chained: httpx's exceptions hold the request, and with it a token.
    """
    try:
        async with asyncio.timeout(total_s):
            response = await http.send(request, stream=True)
            try:
                body = await _read(response, limit)
            finally:
                await response.aclose()
    except AddressRefused:
        raise
    except TimeoutError:
        raise Unreachable("no whole answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"no answer: {type(error).__name__}") from None
    return Reply(response.status_code, response.headers.get("location"), body)


async def _read(response: httpx.Response, limit: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unreachable("the answer is compressed, which was not asked for", response.status_code)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise Unreachable("the answer is too large", response.status_code)
    return bytes(body)


def read_object(reply: Reply) -> dict[str, Any]:
    """The answer's JSON object; Unreachable when it is none, as proxies and closed portals answer in HTML."""
    try:
        document = _read_json(reply.body)
    except (ValueError, RecursionError):
        raise Unreachable("the answer is not JSON", reply.status) from None
    if not isinstance(document, dict):
        raise Unreachable("the answer is not a JSON object", reply.status)
    return document


def _read_json(body: bytes) -> object:
    """The fast decoder, and for what it refuses (lone surrogates, invalid UTF-8) the patient one."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(body.decode("utf-8", "replace"))


def read_text(value: object) -> str:
    """A scalar of an answer as text; empty for anything else."""
    if isinstance(value, str):
        return without_surrogates(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def read_number(value: object) -> int | None:
    """A non-negative integer of an answer, which PHP writes as number or text; None for anything else."""
    text = read_text(value)
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= _MAX_DIGITS else None
