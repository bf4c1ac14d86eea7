"""The side panel of one call, as fragments: all that Callbook knows of the call."""

from typing import Annotated, Literal

from litestar import Response, get
from litestar.params import FromPath, QueryParameter

from app.calls.log.call_detail import list_neighbours, read_detail, user_ids_of
from app.calls.log.logged_calls import CallNotFound, find_call
from app.kit.messages.errors import TooManyRequests
from app.web.call.panel_view import view_call, view_neighbours
from app.web.display.links import make_link
from app.web.display.people_names import refresh_people, system_user_label
from app.web.display.presenter import Presenter, visible
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import AnyRequest, GivenSession
from app.web.http.security import data_headers
from app.web.http.sessions import Session
from app.web.log.log_view import choose_zone


@get("/log/calls/{call_id:str}", include_in_schema=False)
async def show_call(
    request: AnyRequest,
    call_id: FromPath[str],
    parts: GivenParts,
    session: GivenSession,
    fresh: Annotated[
        str, QueryParameter(description="If not empty, the call's late facts are read first.")
    ] = "",
) -> Response[str]:
    """One call by its CALL_ID; 404 if it does not exist or the viewer may not see it."""
    detail = await read_detail(session.viewer, call_id)
    if detail is not None and fresh and parts.sessions.may_ask_portal(session):
        await parts.reconciliation.read_call(session.portal, call_id)
        detail = await read_detail(session.viewer, call_id)
    if detail is None:
        raise CallNotFound
    user_ids = user_ids_of(detail)
    names = await _find_names(parts, session, user_ids)
    refresh_people(parts, session, is_somebody_unknown=not user_ids <= names.keys())
    view = view_call(detail, names, _presenter(request, parts, session))
    link = make_link(session.portal, "call", call_id)
    return parts.pages.render("call.html", data_headers(), session.locale, view=view, link=link)


@get("/log/calls/{call_id:str}/neighbours", include_in_schema=False)
async def show_neighbours(
    request: AnyRequest,
    call_id: FromPath[str],
    side: Annotated[Literal["earlier", "later"], QueryParameter(description="The direction in time.")],
    after: Annotated[str, QueryParameter(description="The last call that the page shows on this side.")],
    parts: GivenParts,
    session: GivenSession,
) -> Response[str]:
    """Further calls with the same number; 404 if one of the two calls is missing or the viewer
    may not see it.
    """
    call, last = await find_call(session.viewer, call_id), await find_call(session.viewer, after)
    if call is None or last is None:
        raise CallNotFound
    found = await list_neighbours(session.viewer, call, side, last)
    user_ids = {one.user_id for one in found.calls if one.user_id is not None}
    names = await _find_names(parts, session, user_ids)
    view = view_neighbours(found, names, _presenter(request, parts, session))
    return parts.pages.render("call_neighbours.html", data_headers(), session.locale, side=side, view=view)


@get("/log/calls/{call_id:str}/transcript", include_in_schema=False)
async def show_transcript(call_id: FromPath[str], parts: GivenParts, session: GivenSession) -> Response[str]:
    """The transcript of a call, or a sentence that says why there is none; 404 if the viewer may not see the
    call.
    """
    call = await find_call(session.viewer, call_id)
    if call is None:
        raise CallNotFound
    text = None
    if call.crm_activity_id:
        if not parts.sessions.may_ask_portal(session):
            raise TooManyRequests
        text = await parts.recordings.read_transcript(session.portal, call.crm_activity_id)
    shown = text and visible(text)
    return parts.pages.render(
        "call_transcript.html", data_headers(), session.locale, text=shown, is_there=call.has_transcript
    )


async def _find_names(parts: WebParts, session: Session, user_ids: set[int]) -> dict[int, str]:
    return await parts.people.find_names(session.portal, user_ids, system_user_label(session.locale))


def _presenter(request: AnyRequest, parts: WebParts, session: Session) -> Presenter:
    zone = choose_zone(session, dict(request.query_params))
    return Presenter(
        zone=zone, locale=session.locale, now=parts.clock.now(), line_names=session.settings.line_names
    )


HANDLERS = [show_call, show_neighbours, show_transcript]
