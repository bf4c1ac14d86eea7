"""Saved views of the log: their menu, and the requests that save, change and delete one."""

from typing import NamedTuple

import msgspec
from litestar import Response, delete, get, post, put
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK

from app.calls.log.columns import read_columns
from app.calls.log.selection.parameters import INT64_MAX, BadFilter, parse_number
from app.calls.log.views import (
    Draft,
    SavedView,
    ViewNotFound,
    change_view,
    delete_view,
    find_view,
    list_views,
    save_view,
)
from app.kit.json_values import decode_json
from app.kit.messages.errors import Refusal
from app.web.display.links import make_link
from app.web.display.people_names import system_user_label
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import AnyRequest, GivenSession
from app.web.http.security import data_headers
from app.web.http.sessions import Session
from app.web.log.log_view import read_list_request
from app.web.log.opened_log import open_log


class ViewDraft(msgspec.Struct, frozen=True):
    """The view that a page wants to save: `parameters` and `columns` are those of its form."""

    name: str
    is_shared: bool
    parameters: dict[str, str]
    columns: list[str]


class ViewItem(NamedTuple):
    """One view in the menu; `owner` is a name, empty for the viewer's own view."""

    view: SavedView
    owner: str
    is_changeable: bool


class ViewsMenu(NamedTuple):
    """The menu; `current` is the open view, `link` its address for colleagues, or empty."""

    items: list[ViewItem]
    current: ViewItem | None
    link: str


async def make_menu(parts: WebParts, session: Session, current_id: int | None) -> ViewsMenu:
    """The viewer's own views and the shared ones, with the names of their owners."""
    views = await list_views(session.viewer)
    label = system_user_label(session.locale)
    names = await parts.people.find_names(session.portal, {view.user_id for view in views}, label)
    claims = session.claims
    items = [
        ViewItem(
            view,
            "" if view.user_id == claims.user_id else names.get(view.user_id) or f"{view.user_id}",
            view.is_changeable_by(session.viewer, is_admin=claims.is_admin),
        )
        for view in views
    ]
    current = next((item for item in items if item.view.id == current_id), None)
    return ViewsMenu(items, current, _link(session, current))


def _link(session: Session, current: ViewItem | None) -> str:
    """The link to a shared view; empty for a view that colleagues may not open."""
    if current is None or not current.view.is_shared:
        return ""
    return make_link(session.portal, "view", str(current.view.id))


@get("/log/panel", include_in_schema=False)
async def show_panel(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The log with the view that `view` names, or with none. Raises ViewNotFound if the view is gone or
    another user's own.
    """
    view_id = _read_id(request.query_params.get("view", ""))
    view = None if view_id is None else await find_view(session.viewer, view_id)
    opened = await open_log(parts, session, view, request.query_params.get("zone", ""))
    menu = await make_menu(parts, session, view_id)
    answer = "log_panel_answer.html"
    return parts.pages.render(answer, data_headers(), session.locale, menu=menu, **opened)


@get("/log/views", include_in_schema=False)
async def show_views(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The menu of views."""
    return await _show_menu(parts, session, _read_id(request.query_params.get("view", "")))


@post("/log/views", status_code=HTTP_200_OK, include_in_schema=False)
async def add_view(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """Save the page's filters and columns as a new view; returns the menu with it as the current view."""
    draft = await _read_draft(request, parts, session)
    generation, quotas = session.claims.generation, parts.room.quotas
    view_id = await save_view(session.viewer, generation, draft, parts.database, quotas)
    return await _show_menu(parts, session, view_id)


@put("/log/views/{view_id:int}", include_in_schema=False)
async def replace_view(
    request: AnyRequest, view_id: FromPath[int], parts: GivenParts, session: GivenSession
) -> Response[str]:
    """Replace a view by the page's filters and columns; only its owner and administrators may."""
    draft = await _read_draft(request, parts, session)
    is_admin = session.claims.is_admin
    await change_view(session.viewer, view_id, draft, parts.database, is_admin=is_admin)
    return await _show_menu(parts, session, view_id)


@delete("/log/views/{view_id:int}", status_code=HTTP_200_OK, include_in_schema=False)
async def remove_view(view_id: FromPath[int], parts: GivenParts, session: GivenSession) -> Response[str]:
    """Delete a view; only its owner and administrators may."""
    await delete_view(session.viewer, view_id, is_admin=session.claims.is_admin)
    return await _show_menu(parts, session, None)


async def _read_draft(request: AnyRequest, parts: WebParts, session: Session) -> Draft:
    """The draft, checked so that its view can be opened again. Raises BadFilter for a wrong filter, Refusal
    for a body that is no draft.
    """
    try:
        asked = decode_json(await request.body(), ViewDraft)
    except msgspec.MsgspecError as error:
        raise Refusal from error
    read_list_request(session, asked.parameters, parts.clock.now())
    return Draft(asked.name, asked.is_shared, asked.parameters, read_columns(asked.columns))


async def _show_menu(parts: WebParts, session: Session, current_id: int | None) -> Response[str]:
    menu = await make_menu(parts, session, current_id)
    return parts.pages.render("log_views.html", data_headers(), session.locale, menu=menu)


def _read_id(text: str) -> int | None:
    if not text:
        return None
    try:
        return parse_number({"view": text}, "view", INT64_MAX)
    except BadFilter:
        raise ViewNotFound from None


HANDLERS = [show_panel, show_views, add_view, replace_view, remove_view]
