"""The routes of this package for `app.asgi`, which imports the handlers of events and health from their own
modules.
"""

from litestar import Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from app.web.api import endpoints as api
from app.web.call import panel, recording_links
from app.web.exports import endpoints as exports
from app.web.frame import card_tab, install_page, pages, reconnect
from app.web.http import assets
from app.web.http.answer_turns import Answering
from app.web.http.errors import EXCEPTION_HANDLERS
from app.web.http.requests import DEPENDENCIES
from app.web.log import endpoints as log
from app.web.log import live_updates, preferences, summary, views
from app.web.settings import endpoints as settings_page

HANDLERS = [
    *pages.HANDLERS,
    *install_page.HANDLERS,
    *log.HANDLERS,
    *summary.HANDLERS,
    *views.HANDLERS,
    *preferences.HANDLERS,
    *panel.HANDLERS,
    *card_tab.HANDLERS,
    *api.HANDLERS,
    *recording_links.HANDLERS,
    *exports.HANDLERS,
    *settings_page.HANDLERS,
    live_updates.follow_calls,
    reconnect.reconnect,
    assets.serve_asset,
]
ROUTES = [Router("/", route_handlers=HANDLERS, middleware=[Answering])]
# Only JSON, because the pages that show a schema to people would load scripts from other hosts.
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
