"""The log with its filters, as it is opened: what the viewer chose for themselves stands in it."""

from typing import Any

from app.people.preference_queries import find_preferences
from app.web.columns import read_columns
from app.web.filter_form import make_form
from app.web.log_view import view_log
from app.web.parts import WebParts
from app.web.sessions import Session


async def open_panel(parts: WebParts, session: Session) -> dict[str, Any]:
    """What `log_panel.html` shows, and the chosen theme."""
    preferences = await find_preferences(session.portal.id, session.claims.user_id)
    columns = read_columns(preferences.columns or ())
    parameters = {"columns": ",".join(columns)}
    return {
        "session": session,
        "chosen_theme": preferences.theme or "auto",
        "form": await make_form(parts, session, parameters),
        "view": await view_log(parts, session, parameters),
    }
