"""The portal's pages: the parent page of the app's frame, and the commands of that page's script."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.faults import Refusal
from app.demo.core.origin import find_portal
from app.demo.core.php import parse_query
from app.demo.core.world import World
from app.demo.frame.frame import (
    ANALYTICS,
    LINK,
    Frame,
    PageRefused,
    describe_frame,
    embed_json,
    finish_install,
    open_frame,
    refresh_auth,
    set_option,
)

KEPT_FRAMES = 500
PAGES = [
    "/",
    "/marketplace/app/{app_id:int}",
    "/marketplace/view/{code:str}",
    "/crm/{kind:str}/details/{card_id:int}",
]
# Some of the languages that LANG_ALL names (api-reference/widgets/placement-bind.md).
LANGUAGES = ("en", "de", "fr", "it", "la", "br", "pl", "ru", "ua", "tr", "ar", "sc", "ja")
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"), autoescape=select_autoescape()
)


def frame_handlers(stand_in: World[StandInPortal]) -> list[ControllerRouterHandler]:
    """The route handlers of the parent page; they keep the last frames by APP_SID."""
    frames: OrderedDict[str, Frame] = OrderedDict()

    @get(PAGES)
    async def show_frame(request: Request[Any, Any, Any]) -> Response[str]:
        portal = find_portal(stand_in, request)
        if (language := request.query_params.get("lang")) in LANGUAGES:
            portal.state.language = language
        asked = request.query_params.get("user", str(portal.admin.id))
        try:
            frame = open_frame(portal, asked, *_find_page(stand_in, request))
        except PageRefused as refused:
            return _show_plain(portal, refused)
        frames[frame.app_sid] = frame
        if len(frames) > KEPT_FRAMES:
            frames.popitem(last=False)
        return _show_frame(portal, frame)

    @post("/frame/{command:str}", status_code=200)
    async def run_command(request: Request[Any, Any, Any], command: FromPath[str]) -> Response[Any]:
        asked = await request.json()
        frame = frames.get(str(asked.get("appSid")))
        if frame is None:
            raise Refusal("ACCESS_DENIED", 403, "Unknown APP_SID")
        return Response(await _run(find_portal(stand_in, request), frame, command, asked.get("params") or {}))

    @post("/market/{action:str}", status_code=303)
    async def manage_app(request: Request[Any, Any, Any], action: FromPath[str]) -> Redirect:
        portal = find_portal(stand_in, request)
        fields = parse_query((await request.body()).decode())
        if action == "install":
            portal.add_app()
        elif action == "uninstall" and portal.installation.is_present:
            await portal.uninstall(clean=fields.get("clean") == "1")
        return Redirect("/", status_code=303)

    return [show_frame, run_command, manage_app]


def _find_page(stand_in: World[StandInPortal], request: Request[Any, Any, Any]) -> tuple[str, dict[str, Any]]:
    """Placement and PLACEMENT_OPTIONS for an address of the portal. The options of a card's tab are the
    card's id (api-reference/widgets/crm/detail-tab.md). The options of a link are the `params` in its address
    (REST_APP_URI, under api-reference/widgets/ui-interaction).
    """
    path = request.path_params
    if "kind" in path:
        return f"CRM_{path['kind'].upper()}_DETAIL_TAB", {"ID": str(path["card_id"])}
    if "code" not in path:
        return request.query_params.get("placement", "DEFAULT"), {}
    if path["code"] != stand_in.client_id:
        raise Refusal("NOT_FOUND", 404, "Application not found")
    asked = parse_query(request.url.query).get("params")
    return LINK, asked if isinstance(asked, dict) else {}


async def _run(portal: StandInPortal, frame: Frame, command: str, params: dict[str, Any]) -> dict[str, str]:
    if command == "refreshAuth":
        return refresh_auth(portal, frame)
    if command == "setInstallFinish":
        await finish_install(portal, frame)
    else:
        set_option(portal, frame, command, params)
    return {}


def _show_frame(portal: StandInPortal, frame: Frame) -> Response[str]:
    description = describe_frame(portal, frame)
    analytics = portal.bound_placement(ANALYTICS)
    html = _templates.get_template("frame.html").render(
        portal=portal,
        frame=frame,
        description=description,
        embedded=embed_json({key: value for key, value in description.items() if key != "form"}),
        people=[user for user in portal.users.values() if user.is_active and not user.is_system],
        analytics_title=analytics.title_for(portal.state.language) if analytics else None,
        analytics=ANALYTICS,
        languages=LANGUAGES,
    )
    return _page(html, description["origin"])


def _show_plain(portal: StandInPortal, refused: PageRefused) -> Response[str]:
    html = _templates.get_template("plain.html").render(portal=portal, refused=refused)
    return _page(html, "", refused.status)


def _page(html: str, app_origin: str, status: int = 200) -> Response[str]:
    frames = app_origin or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"form-action 'self' {app_origin}; frame-src {frames}; base-uri 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    return Response(html, media_type="text/html", status_code=status, headers=headers)
