"""The portal's queue server: the body of each event, and the handlers to which it goes.

Bodies follow docs/bitrix24.md ("Events"); api-reference/common/events/on-app-install.md, on-app-update.md,
on-app-uninstall.md and api-reference/telephony/voximplant/events/on-voximplant-call-end.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.demo.core.php import build_query
from app.demo.core.state import User
from app.demo.core.statistics import StatisticsRow, format_time
from app.demo.core.tokens import ACCESS_LIFE_S
from app.demo.core.world import Portal

CALLBACK_PATH = "/events"


@dataclass(frozen=True)
class Post:
    """One event on its way to one handler."""

    event: str
    url: str
    body: str


def call_end_posts(
    portal: Portal, rows: Sequence[StatisticsRow], *, with_user: bool, data: Mapping[str, str | None]
) -> list[Post]:
    """ONVOXIMPLANTCALLEND of each leg to each bound handler; none before the installation is finished."""
    if not portal.installation.is_finished:
        return []
    posts = []
    for row in rows:
        changes = data if row is rows[-1] else {}
        described = {**_describe_call(portal, row), **changes}
        fields = {key: value for key, value in described.items() if value is not None}
        for binding in portal.installation.events:
            if binding.event == "ONVOXIMPLANTCALLEND":
                auth = _user_auth(portal, row.user_id) if with_user and row.user_id else _plain_auth(portal)
                posts.append(_post(portal, binding.event, binding.handler, binding.id, fields, auth))
    return posts


def install_post(portal: Portal, user: User | int | None, changes: Mapping[str, Any]) -> Post:
    """ONAPPINSTALL to its bound handler, or without one to the app's install callback."""
    data = {
        "VERSION": str(portal.installation.version),
        "ACTIVE": "Y",
        "INSTALLED": "Y",
        "LANGUAGE_ID": portal.state.language,
    }
    return _app_post(portal, "ONAPPINSTALL", data, _full_auth(portal, user) | dict(changes))


def update_post(portal: Portal, user: User | int | None, changes: Mapping[str, Any]) -> Post:
    """ONAPPUPDATE with the application_token of the new version."""
    version = portal.installation.version
    data = {
        "VERSION": str(version),
        "PREVIOUS_VERSION": str(version - 1),
        "LANGUAGE_ID": portal.state.language,
    }
    return _app_post(portal, "ONAPPUPDATE", data, _full_auth(portal, user) | dict(changes))


def uninstall_post(portal: Portal, changes: Mapping[str, Any] | None = None, *, clean: bool) -> Post:
    """ONAPPUNINSTALL, with no token but the application_token."""
    data = {"CLEAN": "1" if clean else "0", "LANGUAGE_ID": portal.state.language}
    return _app_post(portal, "ONAPPUNINSTALL", data, _plain_auth(portal) | dict(changes or {}))


def _app_post(portal: Portal, event: str, data: Mapping[str, Any], auth: Mapping[str, Any]) -> Post:
    bound = next((one for one in portal.installation.events if one.event == event), None)
    handler = bound.handler if bound else f"{portal.stand_in.app_url}{CALLBACK_PATH}"
    return _post(portal, event, handler, bound.id if bound else None, data, auth)


def _post(
    portal: Portal,
    event: str,
    handler: str,
    handler_id: int | None,
    data: Mapping[str, Any],
    auth: Mapping[str, Any],
) -> Post:
    sent_at = portal.stand_in.clock.now()
    fields = {"event": event, "event_handler_id": handler_id, "data": data, "ts": sent_at, "auth": auth}
    return Post(event, handler, build_query(fields))


def _describe_call(portal: Portal, row: StatisticsRow) -> dict[str, str | None]:
    return {
        "CALL_ID": row.call_id,
        "CALL_TYPE": str(row.call_type),
        "PHONE_NUMBER": row.phone_number,
        "PORTAL_NUMBER": row.portal_number,
        "PORTAL_USER_ID": None if row.user_id is None else str(row.user_id),
        "CALL_DURATION": str(row.duration_s),
        "CALL_START_DATE": format_time(row.started_at, portal.state.utc_offset_s),
        "COST": row.cost,
        "COST_CURRENCY": row.currency,
        "CALL_FAILED_CODE": row.code,
        "CALL_FAILED_REASON": row.reason,
        "CRM_ACTIVITY_ID": None if row.crm_activity_id is None else str(row.crm_activity_id),
    }


def _plain_auth(portal: Portal) -> dict[str, Any]:
    return {
        "domain": portal.domain,
        "client_endpoint": portal.client_endpoint,
        "server_endpoint": portal.stand_in.server_endpoint,
        "member_id": portal.member_id,
        "application_token": portal.application_token,
    }


def _user_auth(portal: Portal, user: User | int | None) -> dict[str, Any]:
    """The tokens of the user that caused the event: an access token, never the refresh token."""
    return {key: value for key, value in _full_auth(portal, user).items() if key != "refresh_token"}


def _full_auth(portal: Portal, user: User | int | None) -> dict[str, Any]:
    pair = portal.issue_pair(user)
    tokens = {
        "access_token": pair.access_token,
        "expires": pair.expires_at,
        "expires_in": ACCESS_LIFE_S,
        "scope": ",".join(portal.installation.scope),
        "status": portal.installation.status,
        "user_id": pair.user_id,
        "refresh_token": pair.refresh_token,
    }
    return tokens | _plain_auth(portal)
