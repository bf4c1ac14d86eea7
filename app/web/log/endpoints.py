"""The log as HTML fragments: `app.web.frame.pages` renders its first rows, these handlers all later ones."""

from litestar import Response, get

from app.calls.log.selection.parameters import join_lists
from app.web.http.parts import GivenParts
from app.web.http.requests import AnyRequest, GivenSession
from app.web.http.security import data_headers
from app.web.log.filter_form import make_choices
from app.web.log.log_view import view_log


@get("/log/rows", include_in_schema=False)
async def show_rows(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The table for the filters, or with `cursor` the rows that follow."""
    view = await view_log(parts, session, join_lists(request.query_params.multi_items()))
    template = "log_more.html" if view.is_continued else "log_answer.html"
    return parts.pages.render(template, data_headers(), session.locale, view=view)


@get("/log/choices", include_in_schema=False)
async def show_choices(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The employees, lines and codes of the newest calls, as choices of the filters. Set filters stay set."""
    form = await make_choices(parts, session, join_lists(request.query_params.multi_items()))
    return parts.pages.render("log_choices.html", data_headers(), session.locale, form=form)


HANDLERS = [show_rows, show_choices]
