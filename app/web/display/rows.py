"""Calls as rows of a table, with names of users, in the viewer's zone and language."""

from collections.abc import Collection, Sequence
from datetime import tzinfo
from typing import NamedTuple

from app.calls.log.columns import Column
from app.calls.log.logged_calls import LoggedCall
from app.people.department_queries import find_department_names
from app.web.display.people_names import name_users, refresh_people
from app.web.display.presenter import CallRow, Presenter
from app.web.http.parts import WebParts
from app.web.http.sessions import Session


class Presented(NamedTuple):
    """The rows, and the names by user id and the presenter, which the rest of the page uses too."""

    rows: list[CallRow]
    names: dict[int, str]
    presenter: Presenter


async def present_calls(
    parts: WebParts,
    session: Session,
    calls: Sequence[LoggedCall],
    columns: Collection[Column],
    zone: tzinfo,
    other_ids: Collection[int] = (),
) -> Presented:
    """The rows of calls. `other_ids` are users to name besides, if the viewer may see their calls. If a user
    of a call is unknown, Callbook begins to read the portal's users.
    """
    user_ids = {call.user_id for call in calls if call.user_id is not None}
    names = await name_users(parts, session, user_ids, other_ids)
    refresh_people(parts, session, is_somebody_unknown=not user_ids <= names.keys())
    departments = await find_department_names(session.portal.id, user_ids if "department" in columns else ())
    lines = session.settings.line_names
    presenter = Presenter(
        zone=zone, locale=session.locale, now=parts.clock.now(), line_names=lines, departments=departments
    )
    return Presented([presenter.present(call, names) for call in calls], names, presenter)
