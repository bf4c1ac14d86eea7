"""The answers of a portal's origin: REST, the parent page of the frame, and the 302 of a moved portal."""

from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, get, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.answers import refuse
from app.demo.core.origin import find_portal
from app.demo.core.world import World
from app.demo.frame.frame_handlers import frame_handlers
from app.demo.recordings import recording_handlers
from app.demo.rest.dispatch import answer_rest

STATIC = Path(__file__).parent / "static"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def create_portal_app(stand_in: World[StandInPortal]) -> Litestar:
    """The Litestar app behind the origins of all portals."""

    @route("/rest/{method:path}", http_method=["GET", "POST"], status_code=200)
    async def rest(request: Request[Any, Any, Any], method: FromPath[str]) -> Response[Any]:
        return await answer_rest(stand_in, find_portal(stand_in, request), method, request)

    @get("/static/{name:str}", sync_to_thread=False)
    def static(name: FromPath[str]) -> Response[bytes]:
        path = STATIC / name
        if path.parent != STATIC or not path.is_file():
            raise NotFoundException
        return Response(path.read_bytes(), media_type=TYPES[path.suffix])

    handlers: list[ControllerRouterHandler] = [
        rest,
        static,
        *frame_handlers(stand_in),
        *recording_handlers(stand_in),
    ]
    return Litestar(
        handlers,
        before_request=lambda request: redirect_moved(stand_in, request),
        openapi_config=None,
        exception_handlers=refuse,
        logging_config=None,
    )


def redirect_moved(stand_in: World[StandInPortal], request: Request[Any, Any, Any]) -> Response[None] | None:
    """A 302 to the same path at the new address when the portal has moved (docs/bitrix24.md,
    "REST"); or None.
    """
    portal = find_portal(stand_in, request)
    server = request.scope["server"]
    target = portal.redirect_to
    if target is None and server and server[1] in portal.state.moved_from_ports:
        query = request.url.query
        target = f"{portal.origin}{request.scope['path']}" + (f"?{query}" if query else "")
    return None if target is None else Response(None, status_code=302, headers={"location": target})
