"""The tab in a CRM card: the card's calls as the log shows them, if the viewer may see them in Callbook and
in the CRM.

The page's form holds the card and the ids of its activities, so that further rows cost the portal no request.
A viewer who puts other ids into the form still sees only calls that the log would show too.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import structlog
from litestar import Response, post
from litestar.status_codes import HTTP_200_OK

from app.bitrix24.incoming.payloads import Page, decode_form, is_token
from app.bitrix24.methods.cards import CARDS, MAX_ACTIVITIES, CardKind, list_call_activities, read_card_id
from app.calls.log.columns import Column, read_columns
from app.calls.log.logged_calls import list_card_calls
from app.calls.log.selection.cursors import DEFAULT_LIMIT, MAX_LIMIT, NEWEST_FIRST, parse_cursor
from app.calls.log.selection.parameters import INT64_MAX, BadFilter, parse_choice, parse_number
from app.people.preference_queries import find_preferences
from app.portals.outbound.access import ACCESS_FAILURES
from app.web.display.presenter import CallRow
from app.web.display.rows import present_calls
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import MAX_BODY_BYTES, AnyRequest, GivenSession
from app.web.http.security import data_headers, session_headers
from app.web.http.sessions import LIFETIME_S, Session
from app.web.log.log_view import choose_zone

log = structlog.get_logger(__name__)
KINDS = {kind.name: kind for kind in CARDS.values()}
_IDS = re.compile(rf"(?:[0-9]{{1,19}}(?:,[0-9]{{1,19}}){{0,{MAX_ACTIVITIES - 1}}})?")


class Card(NamedTuple):
    """A card of the CRM; `id` is None until its user saves it."""

    kind: CardKind
    id: int | None


class Known(NamedTuple):
    """The CRM's answer about a card: its call activities, or the reason for none (`closed`,
    `scope`, `away`).
    """

    activity_ids: list[int]
    failure: str = ""


class CardView(NamedTuple):
    """The values of the template; `state` is `calls`, or the reason why there is no table. `activities` is
    None if the CRM has named none.
    """

    card: Card
    state: str
    columns: tuple[Column, ...]
    rows: list[CallRow]
    next_cursor: str | None = None
    activities: list[int] | None = None
    is_filtered: bool = False


async def render_card(parts: WebParts, session: Session, token: str, page: Page) -> Response[str]:
    """The page of a CRM card's tab. Callbook asks the CRM by the viewer's own token, and does not keep it."""
    card = Card(CARDS[page.placement], read_card_id(page.placement_options))
    chosen = await find_preferences(session.portal.id, session.claims.user_id)
    given = {"columns": ",".join(chosen.columns or ())}
    view = await _view_card(parts, session, card, await _ask(parts, session, card, page.auth_id), given)
    return parts.pages.render(
        "card.html",
        session_headers(session.portal.client_endpoint),
        session.locale,
        session=session,
        token=token,
        lifetime_s=LIFETIME_S,
        chosen_theme=chosen.theme or "auto",
        view=view,
    )


@post("/card/rows", status_code=HTTP_200_OK, include_in_schema=False, request_max_body_size=MAX_BODY_BYTES)
async def show_card_rows(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[str]:
    """The list of a card again, or with `cursor` the rows that follow. Raises BadFilter.

    With `auth_id`, the token of the viewer's page, Callbook asks the CRM for the card's activities again.
    """
    fields = {**decode_form(await request.body()), **request.query_params}
    card = _read_card(fields)
    token = fields.get("auth_id", "")
    is_asked = is_token(token) and parts.sessions.may_ask_portal(session)
    known = await _ask(parts, session, card, token) if is_asked else None
    if known is None or known.failure not in {"", "closed"}:
        known = _read_known(fields) or known or Known([], "away")
    view = await _view_card(parts, session, card, known, fields)
    template = "log_more.html" if "cursor" in fields else "card_list.html"
    return parts.pages.render(template, data_headers(), session.locale, view=view)


async def _ask(parts: WebParts, session: Session, card: Card, token: str) -> Known:
    """Ask the CRM, by the viewer's token, which activities belong to the card."""
    kind, card_id = card
    if card_id is None:
        return Known([])
    try:
        activity_ids = await parts.access.use_as(
            session.portal,
            token,
            lambda client, access_token: list_call_activities(client, access_token, kind, card_id),
        )
    except ACCESS_FAILURES as failure:
        log.warning("card not read", portal_id=session.portal.id, code=failure.code)
        return Known([], "scope" if failure.code == "insufficient_scope" else "away")
    return Known([], "closed") if activity_ids is None else Known(activity_ids)


async def _view_card(
    parts: WebParts, session: Session, card: Card, known: Known, given: Mapping[str, str]
) -> CardView:
    columns = read_columns(given.get("columns", "").split(","))
    if card.id is None or known.failure:
        return CardView(card=card, state=known.failure or "unknown", columns=columns, rows=[])
    limit = parse_number(given, "limit", MAX_LIMIT) or DEFAULT_LIMIT
    cursor = parse_cursor(given.get("cursor"), NEWEST_FIRST)
    ids = known.activity_ids
    page = await list_card_calls(session.viewer, (card.kind.name, card.id), ids, limit, cursor)
    shown = await present_calls(parts, session, page.calls, columns, choose_zone(session, given))
    state = "calls" if shown.rows or cursor else "none"
    return CardView(
        card=card, state=state, columns=columns, rows=shown.rows, next_cursor=page.next_cursor, activities=ids
    )


def _read_card(fields: Mapping[str, str]) -> Card:
    kind = parse_choice(fields, "kind", tuple(KINDS))
    if kind is None:
        raise BadFilter("kind is missing.")
    return Card(KINDS[kind], parse_number(fields, "card", INT64_MAX) or None)


def _read_known(fields: Mapping[str, str]) -> Known | None:
    """The activities in the page's form, or None if it has none. Raises BadFilter."""
    text = fields.get("activities")
    if text is None:
        return None
    if not _IDS.fullmatch(text):
        raise BadFilter("activities must be whole numbers with commas between.")
    return Known([min(int(part), INT64_MAX) for part in text.split(",") if part])


HANDLERS = [show_card_rows]
