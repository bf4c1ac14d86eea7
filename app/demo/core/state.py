"""The state of the stand-in, as plain dataclasses; `data/demo/` keeps it between runs."""

import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from app.demo.core.statistics import StatisticsRow

StatisticsRight = Literal["all", "own", "none"]
RestRefusal = Literal["payment_required", "portal_closed", "plan_without_rest"]

DEFAULT_SCOPE = ("telephony", "placement", "user_brief", "crm", "department")


@dataclass(kw_only=True)
class User:
    """A user of a portal, as `user.get` and `profile` describe one.

    `statistics_right` is the "Call Statistics - View" permission
    (api-reference/telephony/voximplant/voximplant-statistic-get.md). A system user is never listed:
    api-reference/user/user-get.md leaves out bots.
    """

    id: int
    name: str
    last_name: str
    is_admin: bool = False
    is_active: bool = True
    is_system: bool = False
    is_app_allowed: bool = True
    statistics_right: StatisticsRight = "own"
    time_zone: str = ""
    work_position: str = ""
    gender: str = ""
    department_ids: list[int] = field(default_factory=lambda: [1])

    @property
    def full_name(self) -> str:
        """Name and last name, as the portal's header shows them."""
        return f"{self.name} {self.last_name}".strip()


@dataclass(kw_only=True)
class Department:
    """A department of `department.get` (api-reference/departments/department-get.md)."""

    id: int
    name: str
    sort: int = 500
    parent_id: int | None = None
    head_id: int | None = None


@dataclass
class ActivityBinding:
    """A further card of a call activity, for example a deal, beside the one that the statistics name
    (api-reference/crm/timeline/activities/binding/index.md).
    """

    activity_id: int
    owner_type_id: int
    owner_id: int


@dataclass
class ClosedCard:
    """A CRM card that a user may not read."""

    user_id: int
    owner_type_id: int
    owner_id: int


@dataclass(kw_only=True)
class EventBinding:
    """One handler of `event.bind`; with `auth_type` 0 the event carries tokens of the user that caused it."""

    id: int
    event: str
    handler: str
    auth_type: int = 0
    is_offline: bool = False


@dataclass(kw_only=True)
class PlacementBinding:
    """One handler of `placement.bind` (api-reference/widgets/placement-bind.md)."""

    placement: str
    handler: str
    title: str = ""
    description: str = ""
    group_name: str = ""
    lang_all: dict[str, dict[str, str]] = field(default_factory=dict)
    user_id: int = 0

    def title_for(self, language: str) -> str:
        """The title in this language of the portal, or the one without a language."""
        return self.lang_all.get(language, {}).get("TITLE") or self.title


@dataclass(kw_only=True)
class Token:
    """An access or refresh token; `expires_at` is Unix seconds.

    `is_spent`: the refresh token was exchanged; `is_dead`: an uninstall killed it.
    """

    value: str
    kind: Literal["access", "refresh"]
    client_id: str
    user_id: int
    expires_at: int
    is_spent: bool = False
    is_dead: bool = False


def default_dead_answers() -> dict[str, tuple[str, int]]:
    """Code and HTTP status with which each operation answers a token after an uninstall.

    Nobody documents them (docs/known-unknowns.md), so a test may set others.
    """
    return {
        "app.info": ("not_installed", 403),
        "oauth.refresh": ("not_installed", 403),
        "rest": ("application_not_found", 401),
    }


@dataclass(kw_only=True)
class Installation:
    """One app in one portal: present once an administrator pressed Install, finished after
    `installFinish`.
    """

    client_id: str
    application_token: str = field(default_factory=lambda: secrets.token_hex(16))
    is_present: bool = True
    is_finished: bool = False
    version: int = 1
    status: str = "L"
    days: int | None = None  # Days left of a trial or a subscription; negative after its end.
    scope: list[str] = field(default_factory=lambda: list(DEFAULT_SCOPE))
    events: list[EventBinding] = field(default_factory=list)
    placements: list[PlacementBinding] = field(default_factory=list)
    app_options: dict[str, Any] = field(default_factory=dict)
    user_options: dict[int, dict[str, Any]] = field(default_factory=dict)
    started_user_ids: list[int] = field(default_factory=list)
    dead_answers: dict[str, tuple[str, int]] = field(default_factory=default_dead_answers)


@dataclass(kw_only=True)
class PortalState:
    """A whole portal. It is served at `port` now; `member_id` never changes."""

    member_id: str = field(default_factory=lambda: secrets.token_hex(16))
    port: int = 0
    moved_from_ports: list[int] = field(default_factory=list)
    title: str = "Northwind"
    language: str = "en"
    utc_offset_s: int = 3600
    users: dict[int, User] = field(default_factory=dict)
    departments: list[Department] = field(default_factory=list)
    installations: dict[str, Installation] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    statistics: list[StatisticsRow] = field(default_factory=list)
    transcripts: dict[str, str] = field(default_factory=dict)  # By the id of the CRM activity.
    activity_bindings: list[ActivityBinding] = field(default_factory=list)
    closed_cards: list[ClosedCard] = field(default_factory=list)
    unknown_placements: list[str] = field(default_factory=list)  # Those that an older release lacks.
    next_binding_id: int = 1001
    rest_refusal: RestRefusal | None = None

    def installation(self, client_id: str) -> Installation:
        """The installation of an app; at the first call it is made, present and not finished."""
        return self.installations.setdefault(client_id, Installation(client_id=client_id))


@dataclass
class StandInState:
    """All portals and the authorization server's port: the state that survives a restart."""

    oauth_port: int = 0
    portals: list[PortalState] = field(default_factory=list)
