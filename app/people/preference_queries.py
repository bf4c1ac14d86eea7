"""Reading, writing and erasing users' preferences."""

from app.kit.metrics import QUOTA_REFUSALS
from app.kit.storage.database import Database
from app.kit.storage.deletion import delete_some
from app.people.preferences import THEMES, Preferences
from app.people.tables import UserPreferencesTable
from app.portals.settings.quotas import QuotaReached, Quotas


async def find_preferences(portal_id: int, user_id: int) -> Preferences:
    """A user's preferences; empty when the user never chose any."""
    is_theirs = (UserPreferencesTable.portal_id == portal_id) & (UserPreferencesTable.user_id == user_id)
    row = (
        await UserPreferencesTable.select(UserPreferencesTable.columns, UserPreferencesTable.theme)
        .where(is_theirs)
        .first()
    )
    if row is None:
        return Preferences()
    theme = next((known for known in THEMES if known == row["theme"]), None)
    return Preferences(tuple(row["columns"].split()) if row["columns"] else None, theme)


async def write_preferences(
    portal_id: int, generation: int, user_id: int, chosen: Preferences, database: Database, quotas: Quotas
) -> None:
    """Store the preferences that are not None and keep the others; do nothing when the portal was uninstalled
    or installed again meanwhile. Raises QuotaReached for a user without preferences in a portal at its quota.

    The condition stands in the statement itself, so that no late write brings back preferences that an
    uninstall erased. On PostgreSQL the statement locks the portal's row, so that it and an uninstall run one
    after the other.
    """
    hold = "" if database.is_sqlite else "FOR SHARE OF portals "
    sql = (
        "INSERT INTO user_preferences (portal_id, user_id, columns, theme)"  # noqa: S608  Values are parameters.
        " SELECT portals.id, {}, {}, {} FROM portals"
        f" WHERE portals.id = {{}} AND portals.state = 'installed' AND portals.generation = {{}}"
        " AND (EXISTS (SELECT 1 FROM user_preferences WHERE portal_id = portals.id AND user_id = {})"
        f" OR (SELECT COUNT(*) FROM user_preferences WHERE portal_id = portals.id) < {{}}) {hold}"
        "ON CONFLICT (portal_id, user_id) DO UPDATE SET"
        " columns = COALESCE(excluded.columns, user_preferences.columns),"
        " theme = COALESCE(excluded.theme, user_preferences.theme) RETURNING id"
    )
    columns = None if chosen.columns is None else " ".join(chosen.columns)
    given = (user_id, columns, chosen.theme, portal_id, generation, user_id, quotas.preferences)
    is_stored = bool(await UserPreferencesTable.raw(sql, *given))
    if not is_stored and await count_preferences(portal_id) >= quotas.preferences:
        QUOTA_REFUSALS.labels("preferences").inc()
        raise QuotaReached


async def count_preferences(portal_id: int) -> int:
    """How many users of a portal have stored preferences."""
    count: int = await UserPreferencesTable.count().where(UserPreferencesTable.portal_id == portal_id)
    return count


async def delete_some_preferences(portal_id: int) -> bool:
    """Erase the preferences of some users of a portal; False when none are left."""
    return await delete_some(UserPreferencesTable, UserPreferencesTable.portal_id == portal_id)
