"""Whether the process is alive, whether it can store events, and which problems the vendor should look at."""

import asyncio
import hmac
from typing import Any, get_args

import structlog
from litestar import MediaType, Request, Response, get
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.calls.space.usage_queries import count_at_quota
from app.kit.metrics import AT_QUOTA, PORTALS, PROBLEMS
from app.kit.storage.database import DATABASE_ERRORS
from app.portals.absence.gone_guard import is_question_open
from app.portals.model import Connection
from app.portals.states.contact_queries import count_connections
from app.portals.tokens.client_secret import is_client_secret_rejected
from app.web.http.parts import WebParts

SILENT_AFTER_S = 120
STORE_TIMEOUT_S = 5
READ_TIMEOUT_S = 5
STORING_FAILS = "storing_fails"
OTHER_PROBLEMS = ("client_secret_rejected", "scheduler_silent", "many_portals_gone")
log = structlog.get_logger(__name__)


@get("/healthz", media_type=MediaType.JSON, include_in_schema=False)
async def healthz() -> dict[str, str]:
    """200 as long as the process answers."""
    return {"status": "ok"}


@get("/readyz", media_type=MediaType.JSON, include_in_schema=False)
async def readyz(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """200 while events can be stored, 503 only when not; `problems` are for the vendor."""
    problems = await find_problems(request.app.state.parts)
    is_ready = STORING_FAILS not in problems
    body = {"status": "ok" if is_ready else "unavailable", "problems": problems}
    return Response(body, status_code=200 if is_ready else 503)


@get("/metrics", media_type=MediaType.TEXT, include_in_schema=False)
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Prometheus text for a request with METRICS_TOKEN, 401 without it; 404 while the setting is empty."""
    parts: WebParts = request.app.state.parts
    token = parts.settings.metrics_token
    if token is None:
        return Response(b"", status_code=404)
    if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
        return Response(b"", status_code=401, headers={"WWW-Authenticate": "Bearer"})
    await find_problems(parts)
    await _count_portals(parts)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _count_portals(parts: WebParts) -> None:
    """Set the gauges from the whole database, alike in every process. They keep their values while the
    database is away.
    """
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            counts = await count_connections()
            at_quota = await count_at_quota(parts.room.quotas)
    except DATABASE_ERRORS as error:
        log.warning("portals not counted", error=type(error).__name__)
        return
    for state in {*get_args(Connection)} - {"uninstalled"}:
        PORTALS.labels(state).set(counts[state])
    for quota, count in at_quota.items():
        AT_QUOTA.labels(quota).set(count)


async def find_problems(parts: WebParts) -> list[str]:
    """The codes of all problems that there are now; sets their metrics too."""
    problems = [] if await _can_store(parts) else [STORING_FAILS]
    PROBLEMS.labels(STORING_FAILS).set(bool(problems))
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            others = await _find_others(parts)
    except DATABASE_ERRORS as error:  # Events use other connections, so this is no reason to be unready.
        log.warning("problems not read", error=type(error).__name__)
        return problems
    for problem in OTHER_PROBLEMS:
        PROBLEMS.labels(problem).set(problem in others)
    return problems + others


async def _can_store(parts: WebParts) -> bool:
    try:
        async with asyncio.timeout(STORE_TIMEOUT_S):
            return await parts.ingest.can_store()
    except TimeoutError:
        return False


async def _find_others(parts: WebParts) -> list[str]:
    problems = []
    if await is_client_secret_rejected():
        problems.append("client_secret_rejected")
    if await parts.leases.is_abandoned("scheduler", SILENT_AFTER_S):
        problems.append("scheduler_silent")
    if await is_question_open():
        problems.append("many_portals_gone")
    return problems


HEALTH_ROUTES = [healthz, readyz, metrics]
