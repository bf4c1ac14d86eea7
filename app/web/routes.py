"""Everything that this package serves, for the assembly; events and health are their own modules."""

from litestar import Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from app.web import (
    api,
    assets,
    call_panel,
    card,
    install,
    live,
    log,
    pages,
    preferences,
    reconnecting,
    recordings,
    settings_page,
    summary,
    views,
)
from app.web.answering import Answering
from app.web.errors import EXCEPTION_HANDLERS
from app.web.exports import endpoints as exports
from app.web.requests import DEPENDENCIES

HANDLERS = [
    *pages.HANDLERS,
    *install.HANDLERS,
    *log.HANDLERS,
    *summary.HANDLERS,
    *views.HANDLERS,
    *preferences.HANDLERS,
    *call_panel.HANDLERS,
    *card.HANDLERS,
    *api.HANDLERS,
    *recordings.HANDLERS,
    *exports.HANDLERS,
    *settings_page.HANDLERS,
    live.follow_calls,
    reconnecting.reconnect,
    assets.serve_asset,
]
ROUTES = [Router("/", route_handlers=HANDLERS, middleware=[Answering])]
# JSON only: the pages that draw it would load their scripts from elsewhere.
OPENAPI = OpenAPIConfig(
    title="Callbook",
    version="1",
    description="A portal's calls. Errors are application/problem+json.",
    path="/schema",
    render_plugins=[JsonRenderPlugin(path="/")],
    components=Components(
        security_schemes={
            "session": SecurityScheme(type="http", scheme="bearer", description="The token of POST /session.")
        }
    ),
)

__all__ = ["DEPENDENCIES", "EXCEPTION_HANDLERS", "OPENAPI", "ROUTES"]
