"""Checks the form of the settings page. Pure: fields in, settings and sentences out."""

from collections.abc import Iterable
from typing import NamedTuple

from app.kit.calendar import list_zones
from app.kit.messages.languages import LANGUAGES
from app.kit.messages.words import N_
from app.portals.settings.portal_settings import REACHES, RETENTION_MONTHS, PortalSettings, Reach

MAX_LINES = 500
MAX_LINE_NAME = 64
Pairs = Iterable[tuple[str, str]]
ROLES = ("admins_see", "heads_see", "employees_see")
NOT_MATCHING = N_("The names do not match the lines. Open the settings again.")


class Checked(NamedTuple):
    """The settings that the form holds, and `errors`, which holds a sentence for each wrong field, by the
    field's name. The sentences are not translated yet.
    """

    settings: PortalSettings
    errors: dict[str, str]


def check_settings(pairs: Pairs, current: PortalSettings) -> Checked:
    """Read the form. A missing field keeps its current value, and `errors` names each wrong field.

    With errors the settings may only be shown and never stored: a wrong time zone or line name is in them as
    the administrator typed it, and no line names are in them if the names do not match the lines.
    """
    fields: dict[str, str] = {}
    lines: list[str] = []
    names: list[str] = []
    for name, value in pairs:
        if name == "line":
            lines.append(value)
        elif name == "line_name":
            names.append(" ".join(value.split()))
        else:
            fields[name] = value.strip()
    errors: dict[str, str] = {}
    settings = PortalSettings(
        admins_see=_read_reach(fields, "admins_see", current.admins_see, errors),
        heads_see=_read_reach(fields, "heads_see", current.heads_see, errors),
        employees_see=_read_reach(fields, "employees_see", current.employees_see, errors),
        time_zone=_read_zone(fields, current, errors),
        locale=_read_locale(fields, current, errors),
        line_names=_read_lines(lines, names, errors) if lines else current.line_names,
        retention_months=_read_retention(fields, current, errors),
    )
    return Checked(settings, errors)


def _read_reach(fields: dict[str, str], name: str, current: Reach, errors: dict[str, str]) -> Reach:
    value = fields.get(name, current)
    if value in REACHES:
        return value
    errors[name] = N_("Choose which calls they see.")
    return current


def _read_zone(fields: dict[str, str], current: PortalSettings, errors: dict[str, str]) -> str:
    value = fields.get("time_zone", current.time_zone)
    if value and value not in list_zones():
        errors["time_zone"] = N_(
            "This time zone does not exist. Choose one from the list, such as Europe/Berlin."
        )
    return value


def _read_locale(fields: dict[str, str], current: PortalSettings, errors: dict[str, str]) -> str:
    value = fields.get("locale", current.locale)
    if not value or value in LANGUAGES:
        return value
    errors["locale"] = N_("Callbook does not speak this language yet. Choose one from the list.")
    return current.locale


def _read_lines(lines: list[str], names: list[str], errors: dict[str, str]) -> dict[str, str]:
    if len(lines) != len(names) or len(lines) > MAX_LINES:
        errors["line_names"] = NOT_MATCHING
        return {}
    if any(len(name) > MAX_LINE_NAME for name in names):
        errors["line_names"] = N_("A name can have at most 64 characters.")
    return {line: name for line, name in zip(lines, names, strict=True) if name}


def _read_retention(fields: dict[str, str], current: PortalSettings, errors: dict[str, str]) -> int | None:
    value = fields.get("retention_months")
    if value is None:
        return current.retention_months
    if not value:
        return None
    if value.isascii() and value.isdecimal() and int(value[:4]) in RETENTION_MONTHS and len(value) < 4:  # noqa: PLR2004
        return int(value)
    errors["retention_months"] = N_("Choose how long calls are kept.")
    return current.retention_months
