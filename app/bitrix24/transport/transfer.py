"""One HTTP request and its whole answer, bounded in size and time."""

import asyncio

import httpx
import msgspec

from app.bitrix24.errors import AddressRefused, NotSent, TooLarge, Unreachable


class Reply(msgspec.Struct, frozen=True):
    """An answer: its status, and its body undecoded."""

    status: int
    body: bytes


async def transfer(http: httpx.AsyncClient, request: httpx.Request, *, limit: int, total_s: float) -> Reply:
    """Send the request and read at most `limit` bytes within `total_s` seconds.

    Raises Unreachable for every failure of the network (NotSent without a connection), TooLarge, and
    AddressRefused when the guard refuses. The cause is not chained, because httpx's exceptions hold the
    request, and with it a token.
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
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotSent(f"no connection: {type(error).__name__}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"no answer: {type(error).__name__}") from None
    return Reply(response.status_code, body)


async def _read(response: httpx.Response, limit: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unreachable("the answer is compressed, which was not asked for", response.status_code)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > limit:
            raise TooLarge(response.status_code)
    return bytes(body)
