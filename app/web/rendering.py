"""Templates into pages."""

from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response

from app.calls.outcome import DIRECTIONS, OUTCOMES
from app.settings import Settings
from app.web.assets import ROOT, asset_url, load_assets
from app.web.security import origin_of

TEMPLATES = Path(ROOT, "templates")


class Pages:
    """Renders templates with what all of them need; everything is escaped."""

    def __init__(self, settings: Settings) -> None:
        load_assets()  # What is missing is told when the process begins, not to the first visitor.
        self.base = urlsplit(settings.app_url).path.rstrip("/")
        self.environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals.update(
            base=self.base,
            asset=lambda name: asset_url(self.base, name),
            origin=origin_of,
            directions=DIRECTIONS,
            outcomes=OUTCOMES,
        )

    def render(
        self, template: str, headers: dict[str, str], status: int = 200, **values: object
    ) -> Response[str]:
        """One page or fragment."""
        text = self.environment.get_template(template).render(**values)
        return Response(text, status_code=status, media_type=MediaType.HTML, headers=headers)
