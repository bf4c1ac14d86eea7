"""Refusals and faults as a client reads them: `application/problem+json`, with a code for programs."""

import http

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from app.kit.fairness.query_turns import QueryTooSlowError
from app.kit.messages.errors import Refusal, TooSlow, Unavailable
from app.kit.metrics import REFUSALS
from app.kit.storage.database import DATABASE_ERRORS, is_refusal
from app.web.http.languages import read_words
from app.web.http.security import data_headers

log = structlog.get_logger(__name__)
PROBLEM = "application/problem+json"
AnyRequest = Request  # Litestar's request has three type parameters that say nothing here.
SERVER_ERROR = 500


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a refusal or fault; `detail` is a sentence for people, `code` is for programs."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"


def encode_problem(status: int, code: str, detail: str) -> bytes:
    """The JSON of a Problem, with the title that HTTP gives to the status."""
    return msgspec.json.encode(
        Problem(title=http.HTTPStatus(status).phrase, status=status, detail=detail, code=code)
    )


def problem_response(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> Response[bytes]:
    """The answer to a request that is refused or has failed."""
    return Response(
        encode_problem(status, code, detail),
        status_code=status,
        media_type=PROBLEM,
        headers={**data_headers(), **(headers or {})},
    )


def retry_headers(refusal: Refusal) -> dict[str, str]:
    """`Retry-After` if the refusal has a time to try again, `WWW-Authenticate` if it is a 401."""
    headers = {}
    if (retry_after_s := getattr(refusal, "retry_after_s", None)) is not None:
        headers["Retry-After"] = str(retry_after_s)
    if refusal.status == http.HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def path_of(request: AnyRequest) -> str:  # type: ignore[type-arg]
    """The route's path for the log, without the request's values: one may be a link to a recording."""
    return str(request.scope.get("path_template") or request.url.path)


def answer_refusal(request: AnyRequest, refusal: Refusal) -> Response[bytes]:  # type: ignore[type-arg]
    """The answer to a Refusal, in the language of the session or of the browser."""
    REFUSALS.labels(refusal.code).inc()
    return problem_response(
        refusal.status, refusal.code, refusal.say(read_words(request)), retry_headers(refusal)
    )


def answer_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:  # type: ignore[type-arg]
    """The answer to a refusal of the framework: no such route, a wrong method, too large a body."""
    if error.status_code >= SERVER_ERROR:
        return answer_fault(request, error)
    phrase = http.HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("'", "")
    return problem_response(error.status_code, code, error.detail or phrase, dict(error.headers or {}))


def refuse_for(error: Exception) -> Refusal:
    """The refusal that tells a client of a database error: TooSlow or Unavailable."""
    return TooSlow() if isinstance(error, QueryTooSlowError) else Unavailable()


def answer_database_error(request: AnyRequest, error: Exception) -> Response[bytes]:  # type: ignore[type-arg]
    """503 while the database is away or too slow, as the request itself is right; 500 if the database refuses
    a value.
    """
    if is_refusal(error):  # Logged without a trace, which would quote the value.
        log.error("database refused a value", path=path_of(request), error=type(error).__name__)
        return _tell_fault(request)
    log.error("database unavailable", path=path_of(request), error=type(error).__name__)
    return answer_refusal(request, refuse_for(error))


def answer_fault(request: AnyRequest, error: Exception) -> Response[bytes]:  # type: ignore[type-arg]
    """500 for a fault of ours: the log has the whole trace, the client reads one sentence."""
    log.error("request failed", path=path_of(request), exc_info=error)
    return _tell_fault(request)


def _tell_fault(request: AnyRequest) -> Response[bytes]:  # type: ignore[type-arg]
    detail = read_words(request).gettext("Something went wrong on our side. Try again in a minute.")
    return problem_response(SERVER_ERROR, "internal_error", detail)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    Refusal: answer_refusal,
    HTTPException: answer_http_error,
    **dict.fromkeys(DATABASE_ERRORS, answer_database_error),
    Exception: answer_fault,
}
