"""Which portal an HTTP request is for."""

from typing import TYPE_CHECKING, Any

from litestar import Request
from litestar.exceptions import NotFoundException

if TYPE_CHECKING:
    from app.demo.portal import StandInPortal
    from app.demo.stand_in import StandIn


def find_portal(stand_in: "StandIn", request: Request[Any, Any, Any]) -> "StandInPortal":
    """The portal whose origin was asked; NotFoundException where none is, or was, served."""
    server = request.scope["server"]
    portal = stand_in.portal_of_port(int(server[1] or 0)) if server else None
    if portal is None:
        raise NotFoundException
    return portal
