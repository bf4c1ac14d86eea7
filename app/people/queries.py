"""Reading, writing and erasing people; portal first."""

from collections.abc import Iterable, Sequence

import msgspec

from app.bitrix24.methods.users import User
from app.kit.storage.database import Database
from app.kit.storage.deletion import delete_some
from app.kit.storage.row_arrays import encode_rows, rows_from
from app.kit.text import original, storable
from app.people.tables import PersonTable
from app.portals.tables import PortalTable

ROWS_A_STATEMENT = 1_000  # So few that an event never waits long while a portal's thousands are stored.
_TOLD = {
    "portal_id": "bigint",
    "generation": "integer",
    "user_id": "bigint",
    "name": "text",
    "is_active": "boolean",
    "is_listed": "boolean",
}


class Person(msgspec.Struct, frozen=True):
    """A user of a portal. A system user stands in calls and not in the portal's list, and so has no name."""

    name: str
    is_listed: bool


async def find_people(portal_id: int, user_ids: Iterable[int]) -> dict[int, Person]:
    """People by user id, dismissed users included; unknown ids are missing."""
    wanted = list(set(user_ids))
    if not wanted:
        return {}
    rows = await PersonTable.select(PersonTable.user_id, PersonTable.name, PersonTable.is_listed).where(
        (PersonTable.portal_id == portal_id) & PersonTable.user_id.is_in(wanted)
    )
    return {row["user_id"]: Person(original(row["name"]), bool(row["is_listed"])) for row in rows}


async def find_names(portal_id: int, user_ids: Iterable[int]) -> dict[int, str]:
    """Names by user id; empty for a user without one, and unknown ids are missing."""
    return {user_id: person.name for user_id, person in (await find_people(portal_id, user_ids)).items()}


async def take_reading(portal_id: int, generation: int, read_at: int, now: int) -> bool:
    """Note that this process reads the users now; False when another process noted it first."""
    is_same = (PortalTable.generation == generation) & (PortalTable.people_read_at == read_at)
    changed = await (
        PortalTable.update({PortalTable.people_read_at: now})
        .where((PortalTable.id == portal_id) & (PortalTable.state == "installed") & is_same)
        .returning(PortalTable.id)
    )
    return bool(changed)


async def note_read_at(portal_id: int, generation: int, read_at: int) -> None:
    """Note the moment at which the users count as read; the next read is due a day after it."""
    is_same = (PortalTable.id == portal_id) & (PortalTable.generation == generation)
    await PortalTable.update({PortalTable.people_read_at: read_at}).where(is_same)


async def upsert_people(
    portal_id: int, generation: int, users: Iterable[User], database: Database, most: int
) -> bool:
    """Store users as the portal tells of them; do nothing when it was uninstalled or installed again
    meanwhile. False when some were left out, because the portal would have more than `most`.

    The condition stands in the statement itself, so that no late write brings back people that an uninstall
    erased. On PostgreSQL the statement locks the portal's row, so that it and an uninstall run one after the
    other.
    """
    rows = [(user.user_id, storable(user.name), user.is_active, True) for user in users]
    conflict = (
        "UPDATE SET is_active = excluded.is_active, is_listed = excluded.is_listed,"
        " name = CASE WHEN excluded.name = '' THEN people.name ELSE excluded.name END"
    )
    return await _insert((portal_id, generation), rows, conflict, database, most)


async def note_unlisted(
    portal_id: int, generation: int, user_ids: Iterable[int], database: Database, most: int
) -> bool:
    """Store as system users the users among `user_ids` that Callbook does not know yet. Their ids came with
    calls, and the portal does not list them. Everything else is as in `upsert_people`.
    """
    rows = [(user_id, "", True, False) for user_id in sorted(user_ids)]
    return await _insert((portal_id, generation), rows, "NOTHING", database, most)


async def _insert(
    installation: tuple[int, int],
    rows: Sequence[tuple[int, str, bool, bool]],
    conflict: str,
    database: Database,
    most: int,
) -> bool:
    told, rows = len(rows), await _take_fitting(installation[0], rows, most)
    hold = "" if database.is_sqlite else " FOR SHARE OF p"
    sql = (
        "INSERT INTO people (portal_id, user_id, name, is_active, is_listed)"  # noqa: S608  Our names.
        f" SELECT p.id, k.user_id, k.name, k.is_active, k.is_listed FROM {rows_from(database, _TOLD)} k"
        " JOIN portals p ON p.id = k.portal_id AND p.generation = k.generation AND p.state = 'installed'"
        f" WHERE true{hold} ON CONFLICT (portal_id, user_id) DO {conflict}"
    )
    for begin in range(0, len(rows), ROWS_A_STATEMENT):
        step = encode_rows((*installation, *row) for row in rows[begin : begin + ROWS_A_STATEMENT])
        async with database.patient_transaction():
            await database.run(sql, step)
    return len(rows) == told


async def _take_fitting(
    portal_id: int, rows: Sequence[tuple[int, str, bool, bool]], most: int
) -> list[tuple[int, str, bool, bool]]:
    """The rows of known users, and rows of other users until the portal has `most`."""
    known = {
        row["user_id"]
        for row in await PersonTable.select(PersonTable.user_id).where(PersonTable.portal_id == portal_id)
    }
    new = [row[0] for row in rows if row[0] not in known]
    fitting = set(new[: max(0, most - len(known))])
    return [row for row in rows if row[0] in known or row[0] in fitting]


async def count_people(portal_id: int) -> int:
    """How many users of a portal are known."""
    count: int = await PersonTable.count().where(PersonTable.portal_id == portal_id)
    return count


async def delete_some_people(portal_id: int) -> bool:
    """Erase some users of a portal; False when none is left."""
    return await delete_some(PersonTable, PersonTable.portal_id == portal_id)
