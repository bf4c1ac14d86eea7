"""The statements behind saved views, portal first."""

from typing import Any, NamedTuple

from piccolo.columns import Column

from app.calls.tables import SavedViewTable
from app.kit.storage.database import Database
from app.kit.storage.deletion import delete_some
from app.kit.text import original, storable

VIEWS_LOCK = 0x_CA11 << 40  # PostgreSQL advisory locks from this number up, one for each portal.


class ViewRow(NamedTuple):
    """One saved view: its parameters as a query, its columns separated by spaces."""

    id: int
    user_id: int
    name: str
    is_shared: bool
    parameters: str
    columns: str


async def select_views(portal_id: int, user_id: int) -> list[ViewRow]:
    """A user's own views, and those that others share."""
    rows = await _select(portal_id, user_id)
    return [_to_row(row) for row in rows]


async def select_view(portal_id: int, user_id: int, view_id: int) -> ViewRow | None:
    """One view that is the user's own or shared; None if there is none."""
    row = await _select(portal_id, user_id).where(SavedViewTable.id == view_id).first()
    return _to_row(row) if row else None


async def hold_views(portal_id: int, database: Database) -> None:
    """Within a transaction: keep other requests from saving a view of the portal until the transaction ends,
    so that a count of views stays true. SQLite lets one transaction write at a time anyway.
    """
    if not database.is_sqlite:
        await database.run("SELECT pg_advisory_xact_lock($1)", VIEWS_LOCK + portal_id)


async def count_own(portal_id: int, user_id: int) -> int:
    """How many views a user has saved."""
    is_own = (SavedViewTable.portal_id == portal_id) & (SavedViewTable.user_id == user_id)
    count: int = await SavedViewTable.count().where(is_own)
    return count


async def count_views(portal_id: int) -> int:
    """How many views all users of the portal have saved."""
    count: int = await SavedViewTable.count().where(SavedViewTable.portal_id == portal_id)
    return count


async def count_shared(portal_id: int, except_id: int) -> int:
    """How many views are shared in the portal, without the one with `except_id`."""
    is_shared = (SavedViewTable.portal_id == portal_id) & SavedViewTable.is_shared.eq(value=True)
    count: int = await SavedViewTable.count().where(is_shared & (SavedViewTable.id != except_id))
    return count


async def insert_view(portal_id: int, generation: int, view: ViewRow, database: Database) -> int | None:
    """Store a view. Returns its id, or None when the portal was uninstalled or installed again meanwhile.

    On PostgreSQL the statement holds the portal's row, so an uninstall waits for it.
    """
    hold = "" if database.is_sqlite else "FOR SHARE OF portals"
    rows = await SavedViewTable.raw(
        "INSERT INTO saved_views (portal_id, user_id, name, is_shared, parameters, columns)"  # noqa: S608  Values are parameters.
        " SELECT portals.id, {}, {}, {}, {}, {} FROM portals"
        f" WHERE portals.id = {{}} AND portals.state = 'installed' AND portals.generation = {{}} {hold}"
        " RETURNING id",
        *(view.user_id, storable(view.name), view.is_shared, view.parameters, view.columns),
        *(portal_id, generation),
    )
    return int(rows[0]["id"]) if rows else None


async def update_view(portal_id: int, view: ViewRow) -> None:
    """Replace all of a view but its owner."""
    values: dict[Column | str, Any] = {
        SavedViewTable.name: storable(view.name),
        SavedViewTable.is_shared: view.is_shared,
        SavedViewTable.parameters: view.parameters,
        SavedViewTable.columns: view.columns,
    }
    is_this = (SavedViewTable.portal_id == portal_id) & (SavedViewTable.id == view.id)
    await SavedViewTable.update(values).where(is_this)


async def delete_view(portal_id: int, view_id: int) -> None:
    """Delete one view."""
    is_this = (SavedViewTable.portal_id == portal_id) & (SavedViewTable.id == view_id)
    await SavedViewTable.delete().where(is_this)


async def delete_some_views(portal_id: int) -> bool:
    """Delete some of the views of a portal; False when none is left."""
    return await delete_some(SavedViewTable, SavedViewTable.portal_id == portal_id)


def _select(portal_id: int, user_id: int) -> Any:  # noqa: ANN401  Piccolo's select is generic in its output.
    is_theirs = (SavedViewTable.user_id == user_id) | (SavedViewTable.is_shared == True)  # noqa: E712  A column.
    return SavedViewTable.select().where(SavedViewTable.portal_id == portal_id).where(is_theirs)


def _to_row(row: dict[str, Any]) -> ViewRow:
    return ViewRow(
        id=row["id"],
        user_id=row["user_id"],
        name=original(row["name"]),
        is_shared=bool(row["is_shared"]),
        parameters=row["parameters"],
        columns=row["columns"],
    )
