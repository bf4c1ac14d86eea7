"""A user's own columns and theme, stored with each choice."""

import msgspec
from litestar import Response, post
from litestar.status_codes import HTTP_204_NO_CONTENT

from app.calls.log.columns import read_columns
from app.kit.json_values import decode_json
from app.kit.messages.errors import Refusal
from app.people.preference_queries import write_preferences
from app.people.preferences import Preferences, Theme
from app.web.http.parts import GivenParts
from app.web.http.requests import AnyRequest, GivenSession
from app.web.http.security import data_headers


class Choice(msgspec.Struct, frozen=True):
    """The choice to store; a field that is None stays as it is."""

    columns: list[str] | None = None
    theme: Theme | None = None


@post("/log/preferences", status_code=HTTP_204_NO_CONTENT, include_in_schema=False)
async def choose(request: AnyRequest, parts: GivenParts, session: GivenSession) -> Response[None]:
    """Store the columns or the theme for this user, for every later page.

    503 `quota_reached` if the portal has no room for the choices of one more user.
    """
    try:
        choice = decode_json(await request.body(), Choice)
    except msgspec.MsgspecError as error:
        raise Refusal from error
    columns = None if choice.columns is None else read_columns(choice.columns)
    claims = session.claims
    chosen = Preferences(columns, choice.theme)
    whose = claims.portal_id, claims.generation, claims.user_id
    await write_preferences(*whose, chosen, parts.database, parts.room.quotas)
    return Response(None, status_code=HTTP_204_NO_CONTENT, headers=data_headers())


HANDLERS = [choose]
