"""One rendering of the app's frame in the portal: its user, its page of the app, its messages to the app.

The reply to `getInitData` and all names are in docs/bitrix24.md ("The parent frame"). The form fields are in
the same file ("Pages") and in api-reference/widgets/telephony/analytics-menu.md.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode, urlsplit

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.faults import Refusal
from app.demo.core.state import User
from app.demo.core.tokens import ACCESS_LIFE_S

LINK = "REST_APP_URI"
ANALYTICS = "TELEPHONY_ANALYTICS_MENU"
ANALYTICS_URI = "/report/telephony/?IFRAME=Y&IFRAME_TYPE=SIDE_SLIDER"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """An opened frame; `app_sid` is new at every rendering, as on a portal."""

    user: User
    placement: str
    handler: str
    app_sid: str = field(default_factory=lambda: secrets.token_hex(16))
    is_install: bool = False
    is_slider: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


class PageRefused(Exception):
    """The portal shows a plain page instead of the frame; `status` is its HTTP status."""

    def __init__(self, title: str, text: str, status: int = 403) -> None:
        super().__init__(title)
        self.title, self.text, self.status = title, text, status


def open_frame(
    portal: StandInPortal, user_id: str, placement: str, options: Mapping[str, Any] = MappingProxyType({})
) -> Frame:
    """The page of the app that a user gets; raises PageRefused where a portal shows none.

    Until `installFinish` administrators get the installer page, and other users get no page. Placements show
    only afterwards (api-reference/widgets/placement-bind.md).
    """
    user = portal.users.get(int(user_id)) if user_id.isdecimal() else None
    if user is None or user.is_system or not user.is_active:
        raise PageRefused("Sign in", "There is no such active user in this Bitrix24.")
    if not user.is_app_allowed:
        raise PageRefused("Access denied", "Your administrator has restricted access to this application.")
    installation = portal.installation
    if not installation.is_present:
        raise PageRefused("Application not found", "The application is not installed in this Bitrix24.", 404)
    if not installation.is_finished and not user.is_admin:
        raise PageRefused("Almost ready", "An administrator has to finish the installation first.")
    app_url = portal.stand_in.app_url
    if not installation.is_finished:
        return Frame(user=user, placement="DEFAULT", handler=f"{app_url}/install", is_install=True)
    if placement == "DEFAULT":
        return Frame(user=user, placement=placement, handler=f"{app_url}/")
    bound = portal.bound_placement(placement)
    if bound is None:
        raise PageRefused("Nothing here", "The application has bound no handler for this placement.", 404)
    is_slider = placement in {ANALYTICS, LINK}
    return Frame(user=user, placement=placement, handler=bound.handler, is_slider=is_slider, options=options)


def describe_frame(portal: StandInPortal, frame: Frame) -> dict[str, Any]:
    """The data of the parent page: the form to submit, and the answer to `getInitData`."""
    options = {"URI": ANALYTICS_URI} if frame.placement == ANALYTICS else dict(frame.options)
    query, form = portal.page_form(frame.user, frame.placement, options, app_sid=frame.app_sid)
    parts = urlsplit(frame.handler)
    joined = "&".join(filter(None, (parts.query, urlencode(query))))
    return {
        "name": f"{portal.domain}|0|{frame.app_sid}",
        "action": f"{parts.scheme}://{parts.netloc}{parts.path}?{joined}",
        "origin": f"{parts.scheme}://{parts.netloc}",
        "form": form,
        "isSlider": frame.is_slider,
        "init": {
            "LANG": portal.state.language,
            "DOMAIN": portal.domain,
            "PROTOCOL": 0,
            "PATH": "/rest",
            "AUTH_ID": form["AUTH_ID"],
            "AUTH_EXPIRES": form["AUTH_EXPIRES"],
            "REFRESH_ID": form["REFRESH_ID"],
            "MEMBER_ID": portal.member_id,
            "APP_SID": frame.app_sid,
            "FIRST_RUN": frame.user.id not in portal.installation.started_user_ids,
            "IS_ADMIN": frame.user.is_admin,
            "INSTALL": frame.is_install,
            "USER_OPTIONS": portal.installation.user_options.get(frame.user.id) or [],
            "APP_OPTIONS": portal.installation.app_options or [],
            "PLACEMENT": frame.placement,
            "PLACEMENT_OPTIONS": options or [],
        },
    }


def embed_json(value: object) -> str:
    """The value as JSON that can stand inside a script element."""
    return json.dumps(value).replace("<", "\\u003c")


def refresh_auth(portal: StandInPortal, frame: Frame) -> dict[str, str]:
    """The answer to `refreshAuth`; raises Refusal when the user may no longer use the app, or it is gone."""
    user = portal.users.get(frame.user.id)
    if user is None or not user.is_active or not user.is_app_allowed or not portal.installation.is_present:
        raise Refusal("ACCESS_DENIED", 403, "Access denied!")
    pair = portal.issue_pair(user)
    return {
        "AUTH_ID": pair.access_token,
        "AUTH_EXPIRES": str(ACCESS_LIFE_S),
        "REFRESH_ID": pair.refresh_token,
    }


async def finish_install(portal: StandInPortal, frame: Frame) -> None:
    """Run `setInstallFinish`, for administrators only; ONAPPINSTALL follows
    (common/events/on-app-install.md).
    """
    if not frame.user.is_admin:
        raise Refusal("ACCESS_DENIED", 403, "Access denied!")
    portal.installation.is_finished = True
    if portal.sends_install_event:
        await portal.install_event(frame.user)


def set_option(portal: StandInPortal, frame: Frame, command: str, params: Mapping[str, Any]) -> None:
    """Run `setUserOption`, `setAppOption` (administrators only) or `setInstall`, which ends FIRST_RUN."""
    installation = portal.installation
    name = str(params.get("name", ""))
    if command == "setInstall":
        installation.started_user_ids.append(frame.user.id)
    elif command == "setUserOption":
        installation.user_options.setdefault(frame.user.id, {})[name] = params.get("value")
    elif frame.user.is_admin:
        installation.app_options[name] = params.get("value")
    else:
        raise Refusal("ACCESS_DENIED", 403, "Access denied!")
