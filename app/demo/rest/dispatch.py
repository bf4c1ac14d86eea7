"""The entrance of a portal's REST: it checks address, rate, token and scope, then runs the method.

Statuses and codes as in _includes/system-errors.md of the documentation.
"""

import json
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from app.demo.core.faults import BrokenNetwork, Refusal
from app.demo.core.php import parse_query
from app.demo.core.state import Token
from app.demo.core.world import Portal, World
from app.demo.rest import application, batch, crm, events, people, placements, recordings, telephony
from app.demo.rest.rest_call import Method, RestAnswer, RestCall

REQUEST_LIMIT_S = 60  # For one call, and for a batch as a whole (docs/bitrix24.md, "REST").

METHODS: dict[str, Method] = {
    **application.METHODS,
    **crm.METHODS,
    **events.METHODS,
    **people.METHODS,
    **placements.METHODS,
    **recordings.METHODS,
    **telephony.METHODS,
}


# _includes/system-errors.md; settings/oauth/error-codes.md for the payment.
REFUSALS = {
    "payment_required": Refusal("PAYMENT_REQUIRED", 401, "Payment required"),
    "portal_closed": Refusal("PORTAL_DELETED", 403, "Portal was deleted"),
    "plan_without_rest": Refusal("ACCESS_DENIED", 401, "REST is available only on commercial plans"),
}


async def answer_rest(
    stand_in: World[Portal], portal: Portal, method: str, request: Request[Any, Any, Any]
) -> Response[Any]:
    """The answer to one REST request; raises Refusal and BrokenNetwork for the app's exception handlers."""
    method = method.strip("/").removesuffix(".json")
    await stand_in.faults.enter("rest", portal.member_id)
    portal.bucket.take()
    if portal.state.rest_refusal is not None:
        raise REFUSALS[portal.state.rest_refusal]
    parameters = parse_query(request.url.query) | await read_body(request)
    token = _authorize(stand_in, portal, str(parameters.pop("auth", "") or ""))
    commands = 1
    if method == "batch":
        body = await _answer_batch(stand_in, portal, token, parameters)
        commands = len(parameters.get("cmd") or ())
    else:
        answer = await _execute(stand_in, portal, token, method, parameters)
        body = {"result": answer.result}
        body |= {"next": answer.next} if answer.next is not None else {}
        body |= {"total": answer.total} if answer.total is not None else {}
    await stand_in.faults.leave(_operation(method), portal.member_id)
    duration_s = commands * portal.execution_s
    portal.longest_request_s = max(portal.longest_request_s, duration_s)
    if duration_s > REQUEST_LIMIT_S:
        raise BrokenNetwork("504")
    body |= {"time": portal.describe_time(f"{token.client_id} {method}", duration_s)}
    sent = stand_in.faults.bend("rest", portal.member_id, body)
    return Response(sent, media_type="application/json")


async def read_body(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The parameters in a JSON or form body (settings/how-to-call-rest-api/data-encoding.md)."""
    body = await request.body()
    if "json" not in request.headers.get("content-type", ""):
        return parse_query(body.decode(errors="replace"))
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _operation(method: str) -> str:
    return "portal.app.info" if method == "app.info" else method


def _authorize(stand_in: World[Portal], portal: Portal, value: str) -> Token:
    if not value:
        raise Refusal("NO_AUTH_FOUND", 401, "Wrong authorization data")
    token = stand_in.tokens.find_access(portal.state, value, "rest")
    user = portal.state.users.get(token.user_id)
    if user is not None and not user.is_app_allowed:
        raise Refusal("user_access_error", 403, "The user does not have access to the application.")
    return token


async def _answer_batch(
    stand_in: World[Portal], portal: Portal, token: Token, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    await stand_in.faults.enter("batch", portal.member_id)

    async def execute(method: str, given: Mapping[str, Any]) -> RestAnswer:
        if method == "batch":
            raise Refusal("ERROR_BATCH_METHOD_NOT_ALLOWED", 405, "Method is not allowed for batch usage")
        return await _execute(stand_in, portal, token, method, given)

    def describe_time(method: str) -> dict[str, Any]:
        return portal.describe_time(f"{token.client_id} {method}", portal.execution_s)

    return {"result": await batch.run_batch(parameters, execute, describe_time, portal.most_commands)}


async def _execute(
    stand_in: World[Portal], portal: Portal, token: Token, name: str, parameters: Mapping[str, Any]
) -> RestAnswer:
    await stand_in.faults.enter(_operation(name), portal.member_id)
    method = METHODS.get(name)
    if method is None:
        raise Refusal("ERROR_METHOD_NOT_FOUND", 404, "Method not found!")
    granted = portal.state.installation(token.client_id).scope
    if method.scopes and not set(method.scopes) & set(granted):
        message = "The request requires higher privileges than provided by the access token"
        raise Refusal("insufficient_scope", 403, message)
    portal.operating.spend(f"{token.client_id} {name}", portal.execution_s)
    call = RestCall(stand_in, portal, token, parameters)
    own = portal.hostility.lies if portal.hostility else ()
    return stand_in.faults.bend(_operation(name), portal.member_id, method.run(call), call, own)
