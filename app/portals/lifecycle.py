"""The changes that a verified installation, page or refresh makes in a portal: pure decisions, all here.

Two clocks are kept apart. `dated_at` is the authorization server's date of a pair. It orders pairs, so that a
late event never replaces a newer pair. Expiry is counted by our clock from receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.bitrix24.methods.profile import Profile
from app.bitrix24.rest.oauth import MOST_LIFETIME_S, AppInfo
from app.portals.contact import FINE

RENEW_AFTER_S = 25 * 24 * 3600  # Safe for both documented lifetimes, 28 and 180 days.
RENEW_SPREAD_S = 24 * 3600
# No renewal is planned later than this, even by a clock that is a day ahead.
RENEW_LATEST_S = RENEW_AFTER_S + 2 * RENEW_SPREAD_S

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedPair:
    """The secrets that a page or an event brings along; only the access token is verified."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    application_token: str | None = field(repr=False)
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An installation that the authorization server and the portal confirmed, with an administrator's
    pair.
    """

    member_id: str
    domain: str
    client_endpoint: str
    oauth_server: str
    license_status: str
    language: str
    user_id: int
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in_s: int
    dated_at: int
    application_token: str | None = field(repr=False)


def build_installation(
    info: AppInfo, profile: Profile, client_endpoint: str, pair: OfferedPair, now: int
) -> Installation:
    """The confirmed facts, together with the pair that came in the same request."""
    return Installation(
        member_id=info.member_id,
        domain=urlsplit(client_endpoint).netloc,
        client_endpoint=client_endpoint,
        oauth_server=info.server,
        license_status=info.status,
        language=pair.language,
        user_id=profile.user_id,
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_in_s=min(pair.expires_in_s, MOST_LIFETIME_S),
        dated_at=info.expires_at
        if info.expires_at is not None
        else now + min(pair.expires_in_s, MOST_LIFETIME_S),
        application_token=pair.application_token or None,
    )


def decide_installation(row: Row, installation: Installation, now: int) -> dict[str, Any]:
    """The columns that change. None change if the portal is installed, its pair is alive and newer than the
    installation's, and its application token is newer too.

    The secrets are named `access_token`, `refresh_token` and `application_token` here; the vault seals and
    hashes them.
    """
    is_new = row["state"] != "installed"
    is_newer_pair = is_new or row["token_state"] != "ok" or installation.dated_at >= row["pair_dated_at"]
    changes: dict[str, Any] = {}
    if is_newer_pair:
        changes |= _take_pair(row, installation, now)
    if is_new or _is_token_newer(row, installation):
        changes |= _take_application_token(installation, is_new=is_new)
    if is_new:
        changes |= {"state": "installed", "installed_at": now, "uninstalled_at": None, "erase_at": None}
        changes |= {"people_read_at": 0, "lookup_wanted_at": None}
    if is_new or row["token_state"] != "ok":
        changes["generation"] = row["generation"] + 1
    return changes


def decide_page_pair(row: Row, installation: Installation, now: int) -> dict[str, Any]:
    """The columns that change when an administrator opens the app: a newer application token, and the pair if
    the stored one is dead, doubtful or of a restricted user. The owner of the stored pair also replaces it
    once its access token has expired.
    """
    if row["state"] != "installed":
        return {}
    changes: dict[str, Any] = {}
    if _is_token_newer(row, installation):
        changes |= _take_application_token(installation, is_new=False)
    if _is_pair_wanted(row, installation, now):
        changes |= _take_pair(row, installation, now)
    return changes


def _is_pair_wanted(row: Row, installation: Installation, now: int) -> bool:
    if row["token_state"] != "ok" or row["contact_state"] == "restricted":
        return True  # The portal restricts one person: another administrator's pair may work.
    if installation.dated_at < row["pair_dated_at"]:
        return False
    if row["token_user_id"] in {None, installation.user_id}:
        return row["refresh_lease_id"] is not None or row["access_expires_at"] <= now
    # Another administrator may see other calls, so with their pair the whole history is read again. An
    # expired token alone is no reason to take it: two administrators who take turns would cause such a read
    # again and again.
    return row["refresh_lease_id"] is not None and row["refresh_lease_until"] <= now


def decide_uninstall(row: Row, now: int, erase_at: int) -> dict[str, Any]:
    """The columns that change when an uninstall is proven: every secret is deleted at once."""
    return {
        "state": "uninstalled",
        "generation": row["generation"] + 1,
        "token_state": "uninstalled",
        "application_token_hash": None,
        "access_token": None,
        "refresh_token": None,
        "token_user_id": None,
        "token_version": row["token_version"] + 1,
        "refresh_lease_id": None,
        "lookup_wanted_at": None,
        "setup": "[]",
        "license_ends_at": None,
        "is_license_over": False,
        "app_code": "",
        "checked_at": 0,
        **FINE,
        "uninstalled_at": now,
        "erase_at": erase_at,
    }


def address_changes(client_endpoint: str) -> dict[str, str]:
    """The columns that change when a portal moves to another (checked) REST root."""
    return {"client_endpoint": client_endpoint, "domain": urlsplit(client_endpoint).netloc}


def plan_renewal(member_id: str, now: int) -> int:
    """The time to renew a pair that is stored now; portals that were installed together are spread over a
    day.
    """
    return now + RENEW_AFTER_S + int(member_id[:8], 16) % RENEW_SPREAD_S


def _take_pair(row: Row, installation: Installation, now: int) -> dict[str, Any]:
    return {
        "domain": installation.domain,
        "client_endpoint": installation.client_endpoint,
        "oauth_server": installation.oauth_server,
        "license_status": installation.license_status,
        "language": installation.language or row["language"],
        "token_user_id": installation.user_id,
        "access_token": installation.access_token,
        "refresh_token": installation.refresh_token,
        "access_expires_at": now + installation.expires_in_s,
        "pair_stored_at": now,
        "renew_at": plan_renewal(row["member_id"], now),
        "pair_dated_at": max(
            installation.dated_at, row["pair_dated_at"] if row["token_state"] == "ok" else 0
        ),
        "token_version": row["token_version"] + 1,
        "token_state": "ok",
        "refresh_lease_id": None,
        "refresh_lease_until": 0,
        **FINE,  # The portal has just answered for this administrator.
    }


def _is_token_newer(row: Row, installation: Installation) -> bool:
    if installation.application_token is None:
        return False
    return row["application_token_hash"] is None or installation.dated_at >= row["application_token_dated_at"]


def _take_application_token(installation: Installation, *, is_new: bool) -> dict[str, Any]:
    if installation.application_token is None:
        # A reinstallation may have changed the token: the stored one proves nothing any more.
        return {"application_token": None, "application_token_dated_at": 0} if is_new else {}
    return {
        "application_token": installation.application_token,
        "application_token_dated_at": installation.dated_at,
    }
