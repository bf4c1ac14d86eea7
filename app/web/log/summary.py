"""The line that sums up the log's calls: by the same filters, for the same viewer."""

from typing import NamedTuple

from babel.numbers import format_decimal
from litestar import Response, get

from app.calls.log.selection.parameters import join_lists
from app.calls.log.summary_queries import COUNTED_CALLS, Summary, summarize
from app.web.display.presenter import format_share, format_talk_time
from app.web.http.parts import GivenParts
from app.web.http.requests import AnyRequest, GivenSession
from app.web.http.security import data_headers
from app.web.log.log_view import read_list_request


class SummaryView(NamedTuple):
    """A summary in the viewer's language; `amount` chooses the plural of `calls`."""

    amount: int
    calls: str
    answered: str
    missed: str
    answer_rate: str | None
    talk_time: str
    is_partial: bool


def present_summary(summary: Summary, locale: str) -> SummaryView:
    """The summary with numbers, share and time in the viewer's language."""
    count = min(summary.calls, COUNTED_CALLS)
    rate = summary.answer_rate
    return SummaryView(
        amount=count,
        calls=format_decimal(count, locale=locale) + ("+" if summary.is_partial else ""),
        answered=format_decimal(summary.answered, locale=locale),
        missed=format_decimal(summary.missed, locale=locale),
        answer_rate=None if rate is None else format_share(rate, locale),
        talk_time=format_talk_time(summary.talk_s, locale),
        is_partial=summary.is_partial,
    )


@get("/log/summary", include_in_schema=False)
async def show_summary(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The summary for the filters of the log; raises BadFilter."""
    given = join_lists(request.query_params.multi_items())
    asked = read_list_request(session, given, parts.clock.now())
    viewer = session.viewer
    found = await summarize(viewer.portal_id, viewer.sees, asked.filters)
    view = present_summary(found, session.locale)
    return parts.pages.render("log_summary.html", data_headers(), session.locale, summary=view)


HANDLERS = [show_summary]
