"""Files for the browser: ours from `static/`, third-party ones out of `node_modules`, each by name.

A page names a file with a hash of its content (`/static/htmx.js?v=3f…`), so browsers may keep it for a year.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

ROOT = Path(__file__).parents[3]
# Never a whole folder: only files named here are served.
FILES = {
    "callbook.css": ("static/callbook.css", "text/css"),
    "log.css": ("static/log.css", "text/css"),
    "call.css": ("static/call.css", "text/css"),
    "frame.js": ("static/frame.js", "text/javascript"),
    "session.js": ("static/session.js", "text/javascript"),
    "live.js": ("static/live.js", "text/javascript"),
    "log.js": ("static/log.js", "text/javascript"),
    "menus.js": ("static/menus.js", "text/javascript"),
    "filters.js": ("static/filters.js", "text/javascript"),
    "settings.js": ("static/settings.js", "text/javascript"),
    "summary.js": ("static/summary.js", "text/javascript"),
    "rows.js": ("static/rows.js", "text/javascript"),
    "merge.js": ("static/merge.js", "text/javascript"),
    "views.js": ("static/views.js", "text/javascript"),
    "reconnect.js": ("static/reconnect.js", "text/javascript"),
    "call.js": ("static/call.js", "text/javascript"),
    "card.js": ("static/card.js", "text/javascript"),
    "export.css": ("static/export.css", "text/css"),
    "export.js": ("static/export.js", "text/javascript"),
    "player.js": ("static/player.js", "text/javascript"),
    "install.js": ("static/install.js", "text/javascript"),
    "htmx.js": ("node_modules/htmx.org/dist/htmx.min.js", "text/javascript"),
    "portal_settings.css": ("static/portal_settings.css", "text/css"),
    "portal_settings.js": ("static/portal_settings.js", "text/javascript"),
    "icon.svg": ("static/icon.svg", "image/svg+xml"),
}
YEAR = "public, max-age=31536000, immutable"
HOUR = "public, max-age=3600"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served, read once."""

    content: bytes
    media_type: str
    version: str


class FrontEndMissingError(Exception):
    """The front-end files are not installed."""


@cache
def load_assets(root: Path = ROOT) -> dict[str, Asset]:
    """Every file by its name, read once. Raises FrontEndMissingError if one is missing."""
    assets = {}
    for name, (path, media_type) in FILES.items():
        try:
            content = (root / path).read_bytes()
        except FileNotFoundError as error:
            raise FrontEndMissingError(f"{path} is missing: run `make setup`, or `npm ci`") from error
        assets[name] = Asset(content, media_type, hashlib.sha256(content).hexdigest()[:16])
    return assets


def asset_url(base_path: str, name: str) -> str:
    """The address of a file under the path of APP_URL."""
    return f"{base_path}/static/{name}?v={load_assets()[name].version}"


@get("/static/{name:str}", include_in_schema=False)
async def serve_asset(name: FromPath[str], v: FromQuery[str] = "") -> Response[bytes]:
    """One file by its name; 404 for a name that FILES lacks."""
    asset = load_assets().get(name)
    if asset is None:
        raise NotFoundException("There is no such file.")
    headers = {
        "Cache-Control": YEAR if v == asset.version else HOUR,
        "X-Content-Type-Options": "nosniff",
    }
    return Response(asset.content, media_type=asset.media_type, headers=headers)
