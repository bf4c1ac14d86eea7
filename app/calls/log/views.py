"""Saved views: a name for filters, order and columns of the log.

A view shows only calls that its viewer may see, like every other way of reading the log.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import msgspec

from app.calls.log import view_queries
from app.calls.log.logged_calls import Viewer
from app.calls.log.selection.parameters import INT64_MAX, join_lists
from app.calls.log.view_queries import ViewRow
from app.kit.messages.errors import Refusal
from app.kit.messages.words import N_
from app.kit.metrics import QUOTA_REFUSALS
from app.kit.storage.database import Database
from app.portals.settings.quotas import QuotaReached, Quotas

MAX_VIEWS = 50
MAX_SHARED = 200  # In a portal.
MAX_NAME = 60
MAX_PARAMETERS = 8_000  # Characters of the query: every page of a user who has the view reads them.
PARAMETERS = frozenset(
    {
        *("period", "from", "to", "direction", "outcome", "code", "operator", "line", "duration_from"),
        *("duration_to", "recording", "client", "department", "q", "sort"),
    }
)


class ViewNotFound(Refusal):
    """There is no such view, or it is another user's own."""

    status = 404
    code = "view_not_found"
    message = N_("This view no longer exists. Choose another one.")


class NotYourView(Refusal):
    """Only its owner and administrators can change a shared view."""

    status = 403
    code = "not_your_view"
    message = N_("Only its owner or an administrator can change this view. Save it under another name.")


class BadView(Refusal):
    """The view has no usable name, or there are too many views already."""

    status = 400
    code = "bad_view"


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """One saved view; `parameters`: those of the log's list."""

    id: int
    user_id: int
    name: str
    is_shared: bool
    parameters: dict[str, str]
    columns: tuple[str, ...]

    def is_changeable_by(self, viewer: Viewer, *, is_admin: bool) -> bool:
        """Whether this viewer may change and delete it."""
        return viewer.user_id == self.user_id or is_admin


class Draft(msgspec.Struct, frozen=True):
    """A view before it is saved."""

    name: str
    is_shared: bool
    parameters: Mapping[str, str]
    columns: tuple[str, ...]


async def list_views(viewer: Viewer) -> list[SavedView]:
    """The viewer's own views and the shared ones, sorted by name."""
    rows = await view_queries.select_views(viewer.portal_id, viewer.user_id)
    return sorted((_to_view(row) for row in rows), key=lambda view: (view.name.casefold(), view.id))


async def find_view(viewer: Viewer, view_id: int) -> SavedView:
    """One view that the viewer may open. Raises ViewNotFound if there is none with this id, and for a number
    outside the range of the database's ids.
    """
    is_id = 0 < view_id <= INT64_MAX
    row = await view_queries.select_view(viewer.portal_id, viewer.user_id, view_id) if is_id else None
    if row is None:
        raise ViewNotFound
    return _to_view(row)


async def save_view(viewer: Viewer, generation: int, draft: Draft, database: Database, quotas: Quotas) -> int:
    """Store a new view and return its id. Raises BadView, QuotaReached, and ViewNotFound on an uninstalled
    portal.
    """
    row = _to_row(0, viewer.user_id, draft)
    async with database.transaction():
        await view_queries.hold_views(viewer.portal_id, database)
        if await view_queries.count_own(viewer.portal_id, viewer.user_id) >= MAX_VIEWS:
            raise BadView(N_("You already have %(count)s views. Delete one first."), count=MAX_VIEWS)
        if await view_queries.count_views(viewer.portal_id) >= quotas.views:
            QUOTA_REFUSALS.labels("views").inc()
            raise QuotaReached
        await _check_shared(viewer, row)
        view_id = await view_queries.insert_view(viewer.portal_id, generation, row, database)
    if view_id is None:
        raise ViewNotFound
    return view_id


async def change_view(
    viewer: Viewer, view_id: int, draft: Draft, database: Database, *, is_admin: bool
) -> None:
    """Replace all of a view but its owner. Raises ViewNotFound, NotYourView, BadView."""
    view = await _find_changeable(viewer, view_id, is_admin=is_admin)
    row = _to_row(view.id, view.user_id, draft)
    async with database.transaction():
        await view_queries.hold_views(viewer.portal_id, database)
        await _check_shared(viewer, row)
        await view_queries.update_view(viewer.portal_id, row)


async def _check_shared(viewer: Viewer, row: ViewRow) -> None:
    """Raise BadView where the portal has too many shared views: every page lists them in the menu."""
    if row.is_shared and await view_queries.count_shared(viewer.portal_id, row.id) >= MAX_SHARED:
        raise BadView(
            N_("Your Bitrix24 already has %(count)s shared views. Save this one for yourself only."),
            count=MAX_SHARED,
        )


async def delete_view(viewer: Viewer, view_id: int, *, is_admin: bool) -> None:
    """Delete a view. Raises ViewNotFound, NotYourView."""
    view = await _find_changeable(viewer, view_id, is_admin=is_admin)
    await view_queries.delete_view(viewer.portal_id, view.id)


async def _find_changeable(viewer: Viewer, view_id: int, *, is_admin: bool) -> SavedView:
    view = await find_view(viewer, view_id)
    if not view.is_changeable_by(viewer, is_admin=is_admin):
        raise NotYourView
    return view


def _to_row(view_id: int, user_id: int, draft: Draft) -> ViewRow:
    name = " ".join(draft.name.split())
    if not name or len(name) > MAX_NAME:
        raise BadView(N_("Give the view a name of at most %(count)s characters."), count=MAX_NAME)
    kept = {key: value for key, value in draft.parameters.items() if key in PARAMETERS and value.strip()}
    parameters = urlencode(kept, errors="replace")
    if len(parameters) > MAX_PARAMETERS:
        raise BadView  # No form of ours is so long.
    return ViewRow(
        id=view_id,
        user_id=user_id,
        name=name,
        is_shared=draft.is_shared,
        parameters=parameters,
        columns=" ".join(draft.columns),
    )


def _to_view(row: ViewRow) -> SavedView:
    parameters = join_lists(parse_qsl(row.parameters))
    return SavedView(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        is_shared=row.is_shared,
        parameters=parameters,
        columns=tuple(row.columns.split()),
    )
