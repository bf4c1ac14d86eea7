"""Which portal an HTTP request is for."""

from typing import Any

from litestar import Request
from litestar.exceptions import NotFoundException

from app.demo.core.world import P_co, World


def find_portal(stand_in: World[P_co], request: Request[Any, Any, Any]) -> P_co:
    """The portal whose origin was asked; NotFoundException where none is, or was, served."""
    server = request.scope["server"]
    portal = stand_in.portal_of_port(int(server[1] or 0)) if server else None
    if portal is None:
        raise NotFoundException
    return portal
