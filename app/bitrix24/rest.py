"""REST calls to one portal: rate, back-off, changed addresses, batches.

Documentation: settings/how-to-call-rest-api/general-principles.md, batch.md, change-domen.md; limits.md.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import msgspec

from app.bitrix24.address import AddressPolicy
from app.bitrix24.bucket import RateBucket
from app.bitrix24.errors import TOO_FAST, AddressRefused, BitrixError, BitrixFailure, Unreachable
from app.bitrix24.exchange import Exchange, Record, keep, redact, summarise
from app.bitrix24.network import on_behalf_of
from app.bitrix24.text import encode_form
from app.bitrix24.transfer import Reply, read_number, read_object, read_text, transfer
from app.kit.clock import Clock

MAX_BATCH = 50
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_TOTAL_S = 75.0
_RETRY_WAITS_S = (1.0, 2.0, 4.0)
_REDIRECTS = frozenset({301, 302, 307, 308})
_BUSY = frozenset({429, 503})
_JSON_HEADERS = {"Content-Type": "application/json"}

Command = tuple[str, Mapping[str, object]]


class Answer(msgspec.Struct, frozen=True):
    """What a method answered; `total` and `next` are None where it does not page."""

    result: Any
    total: int | None
    next: int | None
    time: dict[str, Any]


class BatchAnswer(msgspec.Struct, frozen=True):
    """What a batch answered, by the command's name; one that was not run has neither result nor error.

    `time` is the whole request's block, `times` those of the commands.
    """

    results: dict[str, Any]
    errors: dict[str, BitrixError]
    totals: dict[str, int]
    nexts: dict[str, int]
    time: dict[str, Any]
    times: dict[str, dict[str, Any]] = {}


class _Prepared(msgspec.Struct, frozen=True):
    """A request that may be sent more than once, and how much of an answer it may get; `told` is redacted."""

    method: str
    body: bytes
    told: str
    max_bytes: int


class PortalClient:
    """Calls REST methods of one portal; `http` is the client for "portals".

    `moved_to` is the portal's new REST root once a call was answered there: the caller stores it.
    """

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
        self.moved_to: str | None = None
        self._http = http
        self._policy = policy
        self._bucket = bucket
        self._bucket_key = member_id or self.client_endpoint
        self._record = record
        self._clock = clock
        self._sleep = sleep

    async def call(
        self,
        method: str,
        parameters: Mapping[str, object],
        access_token: str,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """Call one method. Raises BitrixError, Unreachable or AddressRefused.

        A request is sent again only where the portal was too busy to look at it, three times at most.
        """
        body = msgspec.json.encode({**parameters, "auth": access_token})
        return await self._call(_Prepared(method, body, redact(parameters), max_bytes))

    async def batch(
        self, commands: Mapping[str, Command], access_token: str, *, is_halting: bool = False
    ) -> BatchAnswer:
        """Call up to 50 methods in one request; `$result[name][key]` in a parameter names an earlier result.

        Raises as `call` does when the batch as a whole fails; errors of commands stand in the answer.
        """
        if len(commands) > MAX_BATCH:
            raise ValueError(f"a batch holds at most {MAX_BATCH} commands")
        if not commands:
            return BatchAnswer({}, {}, {}, {}, {})
        lines = {name: f"{method}?{encode_form(inner)}" for name, (method, inner) in commands.items()}
        told = {name: {method: inner} for name, (method, inner) in commands.items()}
        body = msgspec.json.encode({"halt": int(is_halting), "cmd": lines, "auth": access_token})
        return _batch_answer(
            await self._call(_Prepared("batch", body, redact({"cmd": told}), MAX_ANSWER_BYTES))
        )

    async def _call(self, prepared: _Prepared) -> Answer:
        for wait_s in (*_RETRY_WAITS_S, None):
            try:
                return await self._attempt(prepared)
            except (BitrixError, Unreachable) as failure:
                if wait_s is None or not _is_busy(failure):
                    raise
                await self._bucket.fill(self._bucket_key)
            await self._sleep(wait_s * random.uniform(1, 1.5))  # noqa: S311  Spreads retries; nothing secret.
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, prepared: _Prepared) -> Answer:
        root = self.client_endpoint
        reply = await self._post(root, prepared)
        if isinstance(reply, Answer):
            return reply
        answer = await self._post(self._new_root(root, prepared.method, reply), prepared)
        if not isinstance(answer, Answer):
            raise Unreachable("the portal redirects again and again", answer.status)
        return answer

    def _new_root(self, root: str, method: str, reply: Reply) -> str:
        """Where the portal lives now, if its redirect leads to the same method of another REST root."""
        try:
            target = httpx.URL(root).join(reply.location or "")
        except (httpx.InvalidURL, ValueError):
            raise Unreachable("the portal redirects to no address", reply.status) from None
        if target.path.rstrip("/").removesuffix(".json") != f"/rest/{method}":
            raise Unreachable("the portal redirects to something else than REST", reply.status)
        moved = self._policy.check_portal(str(target.copy_with(path="/rest/", query=None, fragment=None)))
        if moved == root:
            raise Unreachable("the portal redirects to itself", reply.status)
        if root.startswith("https:") and not moved.startswith("https:"):
            raise AddressRefused("The portal redirects from https to http. Check the portal's address.")
        return moved

    async def _post(self, root: str, prepared: _Prepared) -> Answer | Reply:
        """POST once, in the portal's turn; a redirect is given back as it came."""
        request = self._http.build_request(
            "POST", root + prepared.method, content=prepared.body, headers=_JSON_HEADERS
        )
        async with self._bucket.admit(self._bucket_key):
            with on_behalf_of(self._bucket_key):
                return await self._send(root, request, prepared)

    async def _send(self, root: str, request: httpx.Request, prepared: _Prepared) -> Answer | Reply:
        """Send it and record it, whatever comes of it."""
        started_at, begun = self._clock.now(), time.perf_counter()
        status, code, summary = None, None, ""
        try:
            reply = await transfer(self._http, request, limit=prepared.max_bytes, total_s=_TOTAL_S)
            status = reply.status
            if status in _REDIRECTS:
                summary = "redirect"
                return reply
            answer = self._read(root, reply)
            summary = summarise(answer.result, answer.total)
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
                started_at, "rest", self.member_id, host, method, told, status, code, duration_ms, summary
            )
            await keep(self._record, exchange)
        return answer

    def _read(self, root: str, reply: Reply) -> Answer:
        """Read the answer; one that is Bitrix24's own, error or not, proves a new address."""
        document = read_object(reply)
        code = read_text(document.get("error"))
        if (code or "result" in document) and root != self.client_endpoint:
            self.client_endpoint = self.moved_to = root
        if code or "error_description" in document:
            raise BitrixError(code or "unknown", reply.status, read_text(document.get("error_description")))
        if "result" not in document or reply.status >= httpx.codes.BAD_REQUEST:
            raise Unreachable("the answer holds no result", reply.status)
        return Answer(
            document["result"],
            read_number(document.get("total")),
            read_number(document.get("next")),
            _mapping(document.get("time")),
        )


def _is_busy(failure: BitrixError | Unreachable) -> bool:
    """Whether the portal refused for the moment, before it looked at the request.

    `operation_time_limit` and `overload_limit` bear the same statuses but last for minutes, or until a person
    acts.
    """
    if isinstance(failure, BitrixError):
        return failure.code in TOO_FAST
    return failure.status in _BUSY


def _mapping(value: object) -> dict[str, Any]:
    """PHP writes an empty array as `[]` and one with keys 0, 1, … as a list; both mean a mapping."""
    if isinstance(value, dict):
        return value
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else {}


def _batch_answer(answer: Answer) -> BatchAnswer:
    parts = _mapping(answer.result)
    errors = {name: _command_error(error) for name, error in _mapping(parts.get("result_error")).items()}
    return BatchAnswer(
        results=_mapping(parts.get("result")),
        errors=errors,
        totals=_numbers(parts.get("result_total")),
        nexts=_numbers(parts.get("result_next")),
        time=answer.time,
        times={name: _mapping(block) for name, block in _mapping(parts.get("result_time")).items()},
    )


def _command_error(error: object) -> BitrixError:
    told = _mapping(error)
    return BitrixError(
        read_text(told.get("error")) or "unknown", 200, read_text(told.get("error_description"))
    )


def _numbers(value: object) -> dict[str, int]:
    numbers = ((name, read_number(item)) for name, item in _mapping(value).items())
    return {name: number for name, number in numbers if number is not None}
