"""The authorization server: `app.info` by token, and the exchange of refresh tokens.

Follows settings/oauth/auto-renewal.md (request and answer of the exchange), settings/oauth/error-codes.md
(codes) and docs/bitrix24.md (shape of `app.info`). The vendor's page about `app.info` describes another
method: the portal has one of the same name.
"""

from typing import Any

from litestar import Litestar, Request, Response, get, route

from app.demo.answers import refuse
from app.demo.core.faults import Refusal
from app.demo.core.php import parse_query
from app.demo.core.tokens import ACCESS_LIFE_S, TokenPair
from app.demo.core.world import Portal, World


def create_authorization_app(stand_in: World[Portal]) -> Litestar:
    """The Litestar app of the authorization server's origin."""

    @get("/rest/app.info")
    async def app_info(request: Request[Any, Any, Any]) -> Response[Any]:
        value = request.query_params.get("auth", "")
        portal = stand_in.portal_of_token(value)
        member_id = portal.member_id if portal else None
        await stand_in.faults.enter("app.info", member_id)
        body = _describe_token(stand_in, value)
        await stand_in.faults.leave("app.info", member_id)
        return Response(stand_in.faults.bend("app.info", member_id, body))

    @route("/oauth/token", http_method=["GET", "POST"], status_code=200)
    async def token(request: Request[Any, Any, Any]) -> Response[Any]:
        fields = parse_query(request.url.query) | parse_query((await request.body()).decode())
        portal = stand_in.portal_of_token(str(fields.get("refresh_token", "")))
        member_id = portal.member_id if portal else None
        await stand_in.faults.enter("oauth.refresh", member_id)
        body = _refresh(stand_in, fields)
        await stand_in.faults.leave("oauth.refresh", member_id)
        return Response(stand_in.faults.bend("oauth.refresh", member_id, body))

    @get("/", sync_to_thread=False)
    def index() -> dict[str, str]:
        return {"stand_in": "authorization server"}

    return Litestar(
        [app_info, token, index], openapi_config=None, exception_handlers=refuse, logging_config=None
    )


def _describe_token(stand_in: World[Portal], value: str) -> dict[str, Any]:
    """The answer of `app.info`; raises Refusal: invalid_token, expired_token, or the code after an
    uninstall.
    """
    portal = stand_in.portal_of_token(value)
    if portal is None:
        raise Refusal("invalid_token", 401, "Unable to get application by token")
    token = stand_in.tokens.find_access(portal.state, value, "app.info")
    installation = portal.state.installation(token.client_id)
    scope = ",".join(installation.scope)
    return {
        "result": {
            "client_id": token.client_id,
            "scope": scope,
            "expires": stand_in.show_expiry(token.expires_at),
            "user_id": token.user_id,
            "install": {
                "installed": installation.is_finished,
                "version": str(installation.version),
                "status": installation.status,
                "scope": scope,
                "domain": portal.domain,
                "uri": portal.origin,
                "client_endpoint": portal.listed_endpoint or portal.client_endpoint,
                "member_id": portal.member_id,
                "member_type": "company",
            },
        },
        "time": stand_in.describe_time(),
    }


def _refresh(stand_in: World[Portal], fields: dict[str, Any]) -> dict[str, Any]:
    """A new pair for a refresh token; raises Refusal: invalid_request, invalid_client, wrong_client,
    payment_required, invalid_grant, or the code after an uninstall.
    """
    if fields.get("grant_type") != "refresh_token" or not fields.get("refresh_token"):
        raise Refusal("invalid_request", 400, "Malformed authorization request")
    secret = stand_in.secrets_by_client.get(str(fields.get("client_id", "")))
    if secret is None or secret != fields.get("client_secret"):
        raise Refusal("invalid_client", 401, "Invalid client credentials")
    value = str(fields["refresh_token"])
    portal = stand_in.portal_of_token(value)
    if portal is None:
        raise Refusal("invalid_grant", 400, "Invalid refresh token")
    token = stand_in.tokens.find(portal.state, value, "oauth.refresh")
    if token.client_id != fields["client_id"]:
        raise Refusal("wrong_client", 400, "Wrong client")
    if portal.state.rest_refusal == "payment_required":
        raise Refusal("payment_required", 402, "Payment required")
    pair = stand_in.tokens.rotate(portal.state, token)
    return _describe_pair(stand_in, portal, pair)


def _describe_pair(stand_in: World[Portal], portal: Portal, pair: TokenPair) -> dict[str, Any]:
    installation = portal.state.installation(pair.client_id)
    return {
        "access_token": pair.access_token,
        "client_endpoint": portal.client_endpoint,
        "domain": stand_in.oauth_origin.split("://")[1],
        "expires": pair.expires_at,
        "expires_in": ACCESS_LIFE_S,
        "member_id": portal.member_id,
        "refresh_token": pair.refresh_token,
        "scope": ",".join(installation.scope),
        "server_endpoint": stand_in.server_endpoint,
        "status": installation.status,
        "user_id": pair.user_id,
    }
