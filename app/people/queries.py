"""Reading and writing people; nothing else of this feature touches the ORM."""

from collections.abc import Iterable, Sequence

from app.bitrix24.users import User
from app.kit.database import Database
from app.kit.text import original, storable
from app.people.tables import PersonTable
from app.portals.tables import PortalTable

ROWS_A_STATEMENT = 200  # SQLite takes a limited number of parameters.


async def find_names(portal_id: int, user_ids: Iterable[int]) -> dict[int, str]:
    """Names by user id, dismissed users included; empty for a user without one, missing for unknown ids."""
    wanted = list(set(user_ids))
    if not wanted:
        return {}
    rows = await PersonTable.select(PersonTable.user_id, PersonTable.name).where(
        (PersonTable.portal_id == portal_id) & PersonTable.user_id.is_in(wanted)
    )
    return {row["user_id"]: original(row["name"]) for row in rows}


async def claim_reading(portal_id: int, generation: int, read_at: int, now: int) -> bool:
    """Note that the users are being read; False when somebody else noted it first."""
    is_same = (PortalTable.generation == generation) & (PortalTable.people_read_at == read_at)
    changed = await (
        PortalTable.update({PortalTable.people_read_at: now})
        .where((PortalTable.id == portal_id) & (PortalTable.state == "installed") & is_same)
        .returning(PortalTable.id)
    )
    return bool(changed)


async def upsert_people(portal_id: int, generation: int, users: Sequence[User], database: Database) -> None:
    """Store what the portal told, unless it was uninstalled or installed anew meanwhile.

    The condition stands in the statement itself: an uninstall erases people, and nothing brings them back.
    On PostgreSQL it holds the portal's row, so that it and an uninstall come one after the other.
    """
    for begin in range(0, len(users), ROWS_A_STATEMENT):
        part = users[begin : begin + ROWS_A_STATEMENT]
        sql, parameters = _build_upsert(portal_id, generation, part, is_sqlite=database.is_sqlite)
        await database.run(sql, *parameters)


def _build_upsert(
    portal_id: int, generation: int, users: Sequence[User], *, is_sqlite: bool
) -> tuple[str, list[object]]:
    parameters: list[object] = []

    def mark(value: object, kind: str) -> str:
        parameters.append(value)
        return "?" if is_sqlite else f"${len(parameters)}::{kind}"

    selects = " UNION ALL ".join(
        f"SELECT {mark(user.user_id, 'bigint')} AS user_id, {mark(storable(user.name), 'text')} AS name, "
        f"{mark(user.is_active, 'boolean')} AS is_active"
        for user in users
    )
    hold = "" if is_sqlite else "FOR SHARE OF portals "
    sql = (
        "INSERT INTO people (portal_id, user_id, name, is_active) "  # noqa: S608  Values are parameters.
        f"SELECT portals.id, told.user_id, told.name, told.is_active FROM ({selects}) AS told "
        f"JOIN portals ON portals.id = {mark(portal_id, 'bigint')} AND portals.state = 'installed' "
        f"AND portals.generation = {mark(generation, 'integer')} WHERE TRUE {hold}"
        "ON CONFLICT (portal_id, user_id) DO UPDATE SET is_active = excluded.is_active, "
        "name = CASE WHEN excluded.name = '' THEN people.name ELSE excluded.name END"
    )
    return sql, parameters


async def delete_people(portal_id: int) -> None:
    """Forget all users of a portal."""
    await PersonTable.delete().where(PersonTable.portal_id == portal_id)
