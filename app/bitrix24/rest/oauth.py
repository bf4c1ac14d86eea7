"""The authorization server: the owner of a token, and the exchange of a refresh token for a new pair.

Documentation: settings/oauth/auto-renewal.md, settings/oauth/error-codes.md, settings/oauth/simple-way.md.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec

from app.bitrix24.errors import EXPIRED, BitrixError, BitrixFailure, TooLarge, Unreachable
from app.bitrix24.rest.answers import Bounds, read_object, read_text
from app.bitrix24.rest.exchange import Exchange, Record, keep, redact, summarise
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.transfer import Reply, transfer
from app.kit.calendar import LAST, read_date
from app.kit.clock import Clock
from app.kit.json_values import read_whole

_BOUNDS = Bounds(256 * 1024, 1_000)
_TOTAL_S = 15.0
_DEFAULT_LIFETIME_S = 3600
MOST_LIFETIME_S = 366 * 24 * 3600  # The documentation tells of an hour, and of 180 days for a refresh token.


class AppInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of a token, as the authorization server tells; nobody else knows the owner.

    `expires_at` is Unix seconds by the server's clock; `server` is the origin that answered; `domain` and
    `client_endpoint` are in the server's spelling.
    """

    client_id: str
    member_id: str
    domain: str
    client_endpoint: str
    server: str
    status: str
    scope: str
    user_id: int | None
    expires_at: int | None
    is_installed: bool


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    """A new pair; the old refresh token is spent. Times are Unix seconds by the server's clock."""

    access_token: str
    refresh_token: str
    expires_in: int
    expires_at: int
    client_endpoint: str
    server: str
    member_id: str
    user_id: int | None
    status: str
    scope: str

    @property
    def issued_at(self) -> int:
        """The moment when the pair was made; of two pairs of one portal, the newer one is to be kept."""
        return self.expires_at - self.expires_in

    def __repr__(self) -> str:
        """Portal and server only: a repr may reach a log."""
        return f"TokenPair(member_id={self.member_id!r}, server={self.server!r})"


class AuthorizationServer:
    """Sends requests to the authorization servers of the allow-list only; `http` is the client for
    "oauth".
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        policy: AddressPolicy,
        client_id: str,
        client_secret: str,
        record: Record,
        clock: Clock,
    ) -> None:
        self._http = http
        self._policy = policy
        self._client_id = client_id
        self._client_secret = client_secret
        self._record = record
        self._clock = clock

    async def app_info(
        self, access_token: str, server: str | None = None, member_id: str | None = None
    ) -> AppInfo:
        """Ask for the owner of a token; without a `server`, ask each listed one until one knows the token.

        `member_id` is only noted in the record. Raises AddressRefused for a server that is not listed,
        BitrixError when no server knows the token, Unreachable when a server that may know it did not answer.
        """
        failures: list[BitrixFailure] = []
        servers = self._policy.oauth_servers if server is None else (self._policy.check_oauth(server),)
        for origin in servers:
            try:
                return await self._app_info(origin, access_token, member_id)
            except (BitrixError, Unreachable) as failure:
                failures.append(failure)
                if isinstance(failure, BitrixError) and failure.code in EXPIRED:
                    break  # This server knows the token, so no other can.
        raise _most_telling(failures)

    async def _app_info(self, origin: str, access_token: str, member_id: str | None) -> AppInfo:
        request = self._http.build_request("GET", f"{origin}/rest/app.info/", params={"auth": access_token})
        async with self._asking(request, "app.info", {}, member_id) as answer:
            result = answer.get("result")
            if not isinstance(result, dict) or not read_text(result.get("client_id")):
                raise Unreachable("the answer of app.info names no application")
            install = result.get("install")
            return _app_info(result, install if isinstance(install, dict) else {}, origin)

    @asynccontextmanager
    async def refreshing(
        self, server: str | None, refresh_token: str, member_id: str | None = None
    ) -> AsyncIterator[TokenPair]:
        """Exchange a refresh token for a new pair, by POST, which keeps the secret out of addresses and logs.

        The caller stores the pair inside the block. The record is written only when the block ends, so that
        nothing comes between the answer and its storing. `server` is the portal's server_endpoint; None is
        the first listed. Raises AddressRefused before anything is sent, BitrixError with the server's code,
        and Unreachable when no readable answer came.
        """
        origin = self._policy.check_oauth(server)
        form = {"grant_type": "refresh_token", "client_id": self._client_id}
        secret = {"client_secret": self._client_secret, "refresh_token": refresh_token}
        request = self._http.build_request("POST", f"{origin}/oauth/token/", data=form | secret)
        async with self._asking(request, "oauth/token", form, member_id) as answer:
            pair = _token_pair(answer, origin, self._clock.now())
            if not pair.access_token or not pair.refresh_token:
                raise Unreachable("the answer holds no pair of tokens")
            yield pair

    @asynccontextmanager
    async def _asking(
        self, request: httpx.Request, method: str, told: dict[str, str], member_id: str | None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Send the request, raise BitrixError for an error answer, and record the exchange when the block
        ends. `told` holds the parameters that the record may show.
        """
        started_at, begun = self._clock.now(), time.perf_counter()
        status, code, summary, duration_ms = None, None, "", 0
        try:
            try:
                reply = await transfer(self._http, request, limit=_BOUNDS.most_bytes, total_s=_TOTAL_S)
            except TooLarge as error:  # No honest answer of these two methods is large.
                raise Unreachable("the answer is too large", error.status) from None
            finally:
                duration_ms = round((time.perf_counter() - begun) * 1000)
            status = reply.status
            answer = _answer(reply)
            summary = summarise(answer)
            yield answer
        except BitrixFailure as failure:
            code = failure.code
            summary = str(failure)
            raise
        finally:
            host, parameters = request.url.netloc.decode(), redact(told)
            exchange = Exchange(
                at=started_at,
                kind="oauth",
                member_id=member_id,
                host=host,
                method=method,
                parameters=parameters,
                status=status,
                error_code=code,
                duration_ms=duration_ms,
                result_summary=summary,
            )
            await keep(self._record, exchange)


def _answer(reply: Reply) -> Mapping[str, Any]:
    try:
        answer = read_object(reply.body, _BOUNDS)
    except (TooLarge, ValueError):
        raise Unreachable("the answer is no JSON object", reply.status) from None
    if code := read_text(answer.get("error")):
        raise BitrixError(code, reply.status, read_text(answer.get("error_description")))
    if reply.status != httpx.codes.OK:
        raise Unreachable(f"the authorization server answered {reply.status} without a code", reply.status)
    return answer


def _most_telling(failures: list[BitrixFailure]) -> BitrixFailure:
    """The failure to raise: the answer that the token has expired, if there is one. Else the failure of a
    server that was not reached, because that server may know the token. Else the last refusal.
    """
    last = failures[-1]
    if isinstance(last, BitrixError) and last.code in EXPIRED:
        return last
    return next((failure for failure in failures if isinstance(failure, Unreachable)), last)


def _app_info(result: dict[str, Any], install: dict[str, Any], origin: str) -> AppInfo:
    return AppInfo(
        client_id=read_text(result.get("client_id")),
        member_id=read_text(install.get("member_id")).lower(),
        domain=read_text(install.get("domain")),
        client_endpoint=read_text(install.get("client_endpoint")),
        server=origin,
        status=read_text(install.get("status")),
        scope=read_text(result.get("scope")) or read_text(install.get("scope")),
        user_id=read_whole(result.get("user_id")),
        expires_at=_moment(result.get("expires")),
        is_installed=install.get("installed") in (True, 1, "1", "Y"),
    )


def _moment(value: object) -> int | None:
    """`expires` as Unix seconds. The SDKs read it as an ISO date; the token endpoint writes Unix seconds."""
    number = read_whole(value, 0, LAST)
    return number if number is not None else read_date(value)


def _token_pair(answer: Mapping[str, Any], origin: str, now: int) -> TokenPair:
    lifetime_s = read_whole(answer.get("expires_in"), 1, MOST_LIFETIME_S) or _DEFAULT_LIFETIME_S
    return TokenPair(
        access_token=read_text(answer.get("access_token")),
        refresh_token=read_text(answer.get("refresh_token")),
        expires_in=lifetime_s,
        expires_at=read_whole(answer.get("expires"), 1, LAST) or now + lifetime_s,
        client_endpoint=read_text(answer.get("client_endpoint")),
        server=origin,
        member_id=read_text(answer.get("member_id")).lower(),
        user_id=read_whole(answer.get("user_id")),
        status=read_text(answer.get("status")),
        scope=read_text(answer.get("scope")),
    )
