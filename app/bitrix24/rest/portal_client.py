"""REST calls to one portal: rate, back-off, batches.

Documentation: settings/how-to-call-rest-api/general-principles.md, batch.md; limits.md.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import msgspec

from app.bitrix24.errors import TOO_FAST, BitrixError, BitrixFailure, TooLarge, Unreachable
from app.bitrix24.rest.answers import (
    BATCH,
    CALL,
    Bounds,
    Document,
    Part,
    decode_part,
    decode_small,
    is_there,
    open_parts,
    read_document,
    read_text,
    to_mapping,
)
from app.bitrix24.rest.bucket import RateBucket
from app.bitrix24.rest.exchange import Exchange, Record, keep, redact, summarise
from app.bitrix24.text import encode_form
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.network import on_behalf_of
from app.bitrix24.transport.transfer import Reply, transfer
from app.kit.clock import Clock
from app.kit.json_values import read_whole

MAX_BATCH = 50
_TOTAL_S = 75.0  # For one call with its repetitions: a portal may hold back each refusal.
_RETRY_WAITS_S = (1.0, 2.0, 4.0)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 503})
_PARTS = ("result", "result_error", "result_total", "result_next", "result_time")
_JSON_HEADERS = {"Content-Type": "application/json"}

Command = tuple[str, Mapping[str, object]]


class Answer(msgspec.Struct, frozen=True):
    """The answer of a method; `total` and `next` are None when the method does not page."""

    result: Any
    total: int | None
    next: int | None
    time: dict[str, Any]


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of a batch, by the command's name; a command that was not run has neither result nor error.

    `time` is the `time` block of the whole request, `times` holds those of the commands.
    """

    results: dict[str, Any]
    errors: dict[str, BitrixError]
    totals: dict[str, int]
    nexts: dict[str, int]
    time: dict[str, Any]
    times: dict[str, dict[str, Any]] = {}


class _Prepared(msgspec.Struct, frozen=True):
    """A request that may be sent more than once; `told` is redacted."""

    method: str
    body: bytes
    told: str

    @property
    def bounds(self) -> Bounds:
        """How large its answer may be."""
        return BATCH if self.method == "batch" else CALL


class PortalClient:
    """Calls REST methods of one portal; `http` is the client for "portals"."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        policy: AddressPolicy,
        client_endpoint: str,
        bucket: RateBucket,
        record: Record,
        clock: Clock,
        member_id: str | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raise AddressRefused when the policy does not admit `client_endpoint`."""
        self.client_endpoint = policy.check_portal(client_endpoint)
        self.member_id = member_id
        self._http = http
        self._bucket = bucket
        host = httpx.URL(self.client_endpoint)
        self._bucket_keys = (member_id or self.client_endpoint, f"host:{host.netloc.decode()}")
        self._record = record
        self._clock = clock
        self._sleep = sleep

    async def call(
        self,
        method: str,
        parameters: Mapping[str, object],
        access_token: str,
    ) -> Answer:
        """Call one method. Raises BitrixError (TooLarge included), Unreachable or AddressRefused.

        A request is sent again only when the portal was too busy to process it: at most three times, and
        within 75 seconds in all.
        """
        body = msgspec.json.encode({**parameters, "auth": access_token})
        return await self._call(_Prepared(method, body, redact(parameters)))

    async def batch(
        self, commands: Mapping[str, Command], access_token: str, *, is_halting: bool = False
    ) -> BatchAnswer:
        """Call up to 50 methods in one request; `$result[name][key]` in a parameter names an earlier result.

        Raises as `call` does when the batch as a whole fails. The errors of commands stand in the answer;
        TooLarge stands there for a command whose result is larger than the answer to a call may be.
        """
        if len(commands) > MAX_BATCH:
            raise ValueError(f"a batch holds at most {MAX_BATCH} commands")
        if any(name.isdecimal() for name in commands):
            raise ValueError("PHP makes a list of what has numbers for names")
        if not commands:
            return BatchAnswer(results={}, errors={}, totals={}, nexts={}, time={})
        lines = {name: f"{method}?{encode_form(inner)}" for name, (method, inner) in commands.items()}
        told = {name: {method: inner} for name, (method, inner) in commands.items()}
        body = msgspec.json.encode({"halt": int(is_halting), "cmd": lines, "auth": access_token})
        return await _read_batch(
            await self._call(_Prepared("batch", body, redact({"cmd": told}))), (*commands,)
        )

    async def _call(self, prepared: _Prepared) -> Answer:
        left_s = _TOTAL_S
        for wait_s in (*_RETRY_WAITS_S, 0.0):
            begun = time.perf_counter()
            pause_s = wait_s * random.uniform(1, 1.5)  # noqa: S311  Spreads retries; nothing secret.
            try:
                return await self._attempt(prepared, left_s)
            except (BitrixError, Unreachable) as failure:
                left_s -= time.perf_counter() - begun + pause_s
                if not wait_s or left_s <= 0 or not _is_busy(failure):
                    raise
                await self._bucket.fill(*self._bucket_keys)
            await self._sleep(pause_s)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, prepared: _Prepared, total_s: float) -> Answer:
        """POST once, when the portal's bucket has room; the answer may take `total_s`."""
        request = self._http.build_request(
            "POST", self.client_endpoint + prepared.method, content=prepared.body, headers=_JSON_HEADERS
        )
        async with self._bucket.admit(*self._bucket_keys):
            with on_behalf_of(self._bucket_keys[0]):
                return await self._send(request, prepared, total_s)

    async def _send(self, request: httpx.Request, prepared: _Prepared, total_s: float) -> Answer:
        """Send the request, and record it with its answer or its failure."""
        started_at, begun = self._clock.now(), time.perf_counter()
        status, code, summary = None, None, ""
        try:
            reply = await transfer(self._http, request, limit=prepared.bounds.most_bytes, total_s=total_s)
            status = reply.status
            answer = _read(reply, prepared)
            summary = "batch" if prepared.method == "batch" else summarise(answer.result, answer.total)
        except BitrixFailure as failure:
            code = failure.code
            summary = str(failure)
            raise
        except asyncio.CancelledError:
            code = "cancelled"
            raise
        finally:
            duration_ms = round((time.perf_counter() - begun) * 1000)
            host, method, told = request.url.netloc.decode(), prepared.method, prepared.told
            exchange = Exchange(
                at=started_at,
                kind="rest",
                member_id=self.member_id,
                host=host,
                method=method,
                parameters=told,
                status=status,
                error_code=code,
                duration_ms=duration_ms,
                result_summary=summary,
            )
            await keep(self._record, exchange)
        return answer


def _read(reply: Reply, prepared: _Prepared) -> Answer:
    """The answer. The results of a batch stay undecoded, because they are decoded one after another.

    A redirect is not followed; the caller may ask the authorization server where the portal is.
    """
    if reply.status in _REDIRECTS:
        raise Unreachable("the portal redirects to another address", reply.status)
    try:
        document = read_document(reply.body, prepared.bounds)
        _raise_error(document, reply.status)
        result = document.result if prepared.method == "batch" else decode_part(document.result, CALL)
    except ValueError:  # Proxies and closed portals answer in HTML.
        raise Unreachable("the answer is no JSON object", reply.status) from None
    total, following = (read_whole(decode_small(part)) for part in (document.total, document.next))
    return Answer(result, total, following, to_mapping(decode_small(document.time)))


def _raise_error(document: Document, status: int) -> None:
    code = read_text(decode_small(document.error))
    if code or is_there(document.error_description):
        raise BitrixError(code or "unknown", status, read_text(decode_small(document.error_description)))
    if not is_there(document.result) or status >= httpx.codes.BAD_REQUEST:
        raise Unreachable("the answer holds no result", status)


def _is_busy(failure: BitrixError | Unreachable) -> bool:
    """Whether the portal refused only for the moment, before it processed the request.

    `operation_time_limit` and `overload_limit` come with the same statuses, but last for minutes or until a
    person acts.
    """
    if isinstance(failure, BitrixError):
        return failure.code in TOO_FAST
    return failure.status in _BUSY


async def _read_batch(answer: Answer, names: tuple[str, ...]) -> BatchAnswer:
    """The answers to the named commands, decoded one after another; anything else in the answer is
    skipped.
    """
    parts = open_parts(answer.result, _PARTS)
    found = {key: open_parts(parts.get(key), names) for key in _PARTS}
    read = BatchAnswer(
        results={},
        errors={name: _command_error(part) for name, part in found["result_error"].items()},
        totals=_numbers(found["result_total"]),
        nexts=_numbers(found["result_next"]),
        time=answer.time,
        times={name: to_mapping(decode_small(part)) for name, part in found["result_time"].items()},
    )
    for name, part in found["result"].items():
        try:
            read.results[name] = decode_part(part, CALL)
        except TooLarge as error:
            read.errors[name] = error
        except ValueError:
            read.errors[name] = BitrixError("malformed_answer", 200, "not JSON")
        await asyncio.sleep(0)  # Decoding all results at once would keep events waiting for long.
    return read


def _command_error(part: Part) -> BitrixError:
    told = to_mapping(decode_small(part))
    return BitrixError(
        read_text(told.get("error")) or "unknown", 200, read_text(told.get("error_description"))
    )


def _numbers(parts: Mapping[str, Part]) -> dict[str, int]:
    numbers = ((name, read_whole(decode_small(part))) for name, part in parts.items())
    return {name: number for name, number in numbers if number is not None}
