"""The portal to which an HTTP request is addressed."""

from typing import Any

from litestar import Request
from litestar.exceptions import NotFoundException

from app.demo.core.world import P_co, World


def find_portal(stand_in: World[P_co], request: Request[Any, Any, Any]) -> P_co:
    """The portal that is, or was, served at the request's origin; raises NotFoundException for any other."""
    server = request.scope["server"]
    portal = stand_in.portal_of_port(int(server[1] or 0)) if server else None
    if portal is None:
        raise NotFoundException
    return portal
