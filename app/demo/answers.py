"""HTTP answers for refusals and for broken networks."""

from typing import Any, cast

from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from app.demo.core.faults import BrokenNetwork, Refusal

LOST = "stand_in.lost"
"""Key of a dict in the ASGI scope; a `mode` in that dict tells the front to lose the answer."""

BUSY_TEXTS = {"503": "Service Unavailable", "504": "Gateway Time-out"}

HALF_JSON = '{"result": {"result": {"p0": [{"ID": "1", "CALL_ID": "'
"""The beginning of an answer that breaks off in the middle."""

HTML_ERROR = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"


def answer_refusal(_: Request[Any, Any, Any], refusal: Refusal) -> Response[Any]:
    """The error answer, as two pages tell of it: settings/oauth/error-codes.md, and error-codes.md in the top
    folder.
    """
    return Response(refusal.to_wire(), status_code=refusal.status)


def answer_broken(request: Request[Any, Any, Any], broken: BrokenNetwork) -> Response[Any]:
    """A lost, empty or unreadable answer; a mark in the scope tells the front (front.py) to lose it."""
    if broken.mode == "html":
        return Response(HTML_ERROR, media_type="text/html", status_code=200)
    if broken.mode in BUSY_TEXTS:
        return Response(BUSY_TEXTS[broken.mode], media_type="text/plain", status_code=int(broken.mode))
    cast("dict[str, Any]", request.scope)[LOST]["mode"] = broken.mode
    text = HALF_JSON if broken.mode == "half" else ""
    return Response(text, media_type="application/json", status_code=200)


refuse: ExceptionHandlersMap = {Refusal: answer_refusal, BrokenNetwork: answer_broken}
