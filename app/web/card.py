"""The tab in a CRM card: its calls as the log shows them, cut to what the viewer may see in Callbook and in
the CRM.
"""

from typing import NamedTuple

import structlog
from litestar import Response

from app.bitrix24.cards import CARDS, list_call_activities, read_card_id
from app.bitrix24.errors import BitrixFailure
from app.bitrix24.payloads import Page
from app.calls.reading import list_card_calls
from app.portals.access import PortalNotConnectedError, PortalUnreachableError
from app.web.columns import DEFAULT_COLUMNS, Column
from app.web.names import refresh_people
from app.web.parts import WebParts
from app.web.people import system_user_label
from app.web.presenting import CallRow, Presenter
from app.web.security import session_headers
from app.web.sessions import LIFETIME_S, Session

log = structlog.get_logger(__name__)
MOST_CALLS = 200


class CardView(NamedTuple):
    """What the template shows; `state` says why there is no table, or `calls`."""

    state: str
    rows: list[CallRow]
    has_more: bool = False
    columns: tuple[Column, ...] = DEFAULT_COLUMNS


async def render_card(parts: WebParts, session: Session, token: str, page: Page) -> Response[str]:
    """The page of a CRM card's tab. The viewer's own token asks the CRM, once, and is not kept."""
    return parts.pages.render(
        "card.html",
        session_headers(session.portal.client_endpoint),
        session.locale,
        session=session,
        token=token,
        lifetime_s=LIFETIME_S,
        view=await _view_card(parts, session, page),
    )


async def _view_card(parts: WebParts, session: Session, page: Page) -> CardView:
    kind, card_id = CARDS[page.placement], read_card_id(page.placement_options)
    if card_id is None:
        return CardView("unknown", [])
    try:
        activity_ids = await parts.access.use_as(
            session.portal,
            page.auth_id,
            lambda client, access_token: list_call_activities(client, access_token, kind, card_id),
        )
    except (BitrixFailure, PortalNotConnectedError, PortalUnreachableError) as failure:
        log.warning("card not read", portal_id=session.portal.id, code=failure.code)
        return CardView("scope" if failure.code == "insufficient_scope" else "away", [])
    if activity_ids is None:
        return CardView("closed", [])
    calls = await list_card_calls(session.viewer, (kind.name, card_id), activity_ids, MOST_CALLS + 1)
    user_ids = {call.user_id for call in calls if call.user_id is not None}
    names = await parts.people.find_names(session.portal, user_ids, system_user_label(session.locale))
    refresh_people(parts, session, is_somebody_unknown=not user_ids <= names.keys())
    presenter = Presenter(session.zone, session.locale, parts.clock.now(), session.settings.line_names)
    rows = [presenter.present(call, names) for call in calls[:MOST_CALLS]]
    return CardView("calls" if rows else "none", rows, len(calls) > MOST_CALLS)
