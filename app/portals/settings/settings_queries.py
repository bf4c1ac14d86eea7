"""Queries on the settings that a portal's administrators make."""

import msgspec

from app.kit.storage.database import Database
from app.kit.storage.row_arrays import encode_rows, rows_from
from app.kit.text import original, storable
from app.portals.settings.portal_settings import PortalSettings
from app.portals.tables import PortalSettingsTable

_FIELDS = {  # Fields of PortalSettings, with the types of their columns.
    "admins_see": "text",
    "heads_see": "text",
    "employees_see": "text",
    "time_zone": "text",
    "locale": "text",
    "retention_months": "integer",
}
_STORED = _FIELDS | {"line_names": "text", "changed_at": "bigint", "changed_by": "bigint"}


async def find_settings(portal_id: int) -> PortalSettings:
    """The settings of a portal; the defaults if no administrator has saved any."""
    return await _read(portal_id, is_held=False)


async def hold_settings(portal_id: int, database: Database) -> PortalSettings:
    """The settings of a portal, locked until the end of the transaction that the caller has opened."""
    return await _read(portal_id, is_held=not database.is_sqlite)


async def save_settings(
    portal_id: int, settings: PortalSettings, changed_by: int, now: int, database: Database
) -> bool:
    """Store all settings; False if the portal is not installed. Waits for an uninstall that is under way."""
    names = {storable(number): storable(name) for number, name in settings.line_names.items()}
    values = [getattr(settings, name) for name in _FIELDS]
    columns = ", ".join(_STORED)
    hold = "" if database.is_sqlite else " FOR SHARE OF p"
    rows = await database.run(
        f"INSERT INTO portal_settings (portal_id, {columns}) SELECT p.id, {columns}"  # noqa: S608  Our names.
        f" FROM {rows_from(database, {'told_id': 'bigint', **_STORED})} k"
        f" JOIN portals p ON p.id = k.told_id AND p.state = 'installed' WHERE true{hold}"
        f" ON CONFLICT (portal_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _STORED)}"
        " RETURNING portal_id",
        encode_rows([(portal_id, *values, msgspec.json.encode(names).decode(), now, changed_by)]),
    )
    return bool(rows)


async def erase_settings(portal_id: int) -> bool:
    """Delete the portal's settings; return True, because none are left. They go when its calls are erased."""
    await PortalSettingsTable.delete().where(PortalSettingsTable.portal_id == portal_id)
    return True


async def list_limited(limit: int, after: int) -> list[int]:
    """The ids after `after`, in order, of portals of all tenants that keep calls for a limited time."""
    is_limited = PortalSettingsTable.retention_months.is_not_null() & (PortalSettingsTable.portal_id > after)
    rows = await (
        PortalSettingsTable.select(PortalSettingsTable.portal_id)
        .where(is_limited)
        .order_by(PortalSettingsTable.portal_id)
        .limit(limit)
    )
    return [row["portal_id"] for row in rows]


async def _read(portal_id: int, *, is_held: bool) -> PortalSettings:
    query = PortalSettingsTable.select().where(PortalSettingsTable.portal_id == portal_id).first()
    row = await (query.lock_rows("UPDATE") if is_held else query)
    if row is None:
        return PortalSettings()
    names: dict[str, str] = msgspec.json.decode(row["line_names"])
    line_names = {original(number): original(name) for number, name in names.items()}
    return msgspec.convert({name: row[name] for name in _FIELDS} | {"line_names": line_names}, PortalSettings)
