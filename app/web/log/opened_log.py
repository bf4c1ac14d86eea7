"""The log with its filters as it opens: with the viewer's own columns, or as a saved view."""

from typing import Any

from app.calls.log.columns import read_columns
from app.calls.log.views import SavedView, ViewNotFound, find_view
from app.people.preference_queries import find_preferences
from app.web.http.parts import WebParts
from app.web.http.sessions import Session
from app.web.log.filter_form import make_form
from app.web.log.log_view import view_log


async def open_log(
    parts: WebParts, session: Session, view: SavedView | None = None, zone: str = "", number: str = ""
) -> dict[str, Any]:
    """The values of `log_panel.html`, and the chosen theme.

    `zone` is the browser's; it counts if neither the portal nor the user's profile has one. `number` narrows
    the log to the calls with that number.
    """
    preferences = await find_preferences(session.portal.id, session.claims.user_id)
    columns = read_columns((view.columns if view else preferences.columns) or ())
    parameters = {**(view.parameters if view else {}), "columns": ",".join(columns), "zone": zone}
    if number:
        parameters["q"] = number
    return {
        "session": session,
        "chosen_theme": preferences.theme or "auto",
        "form": await make_form(parts, session, parameters, view.id if view else None),
        "view": await view_log(parts, session, parameters),
    }


async def find_wanted_view(session: Session, view_id: int | None) -> SavedView | None:
    """The view that a link names; None if this viewer may not open it, and then the log shows all calls."""
    try:
        return None if view_id is None else await find_view(session.viewer, view_id)
    except ViewNotFound:
        return None
