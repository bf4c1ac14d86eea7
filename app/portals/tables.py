"""The tables of portals. Times are Unix seconds; a column whose value may be unknown is nullable.

The migrations create them; `tests/test_schema.py` checks that both have the same columns.
"""

from piccolo.columns import BigInt, BigSerial, Boolean, Integer, Text
from piccolo.columns.base import Column
from piccolo.table import Table


def _optional(column: type[Column]) -> Column:
    return column(null=True, default=None)


class PortalTable(Table, tablename="portals"):
    """One Bitrix24 portal, kept under its `member_id` through moves and reinstallations."""

    id = BigSerial(primary_key=True)
    member_id = Text()
    state = Text()  # installed | uninstalled
    generation = Integer()  # grows when an installation begins or ends (decision 0002)
    domain = Text()
    client_endpoint = Text()
    oauth_server = Text()
    license_status = Text()  # L, F, D, T, P or S
    language = Text()
    application_token_hash = _optional(Text)
    application_token_dated_at = BigInt()  # by the authorization server's clock: the newest wins
    access_token = _optional(Text)  # sealed
    refresh_token = _optional(Text)  # sealed
    token_version = Integer()
    token_user_id = _optional(BigInt)
    pair_dated_at = BigInt()  # by the authorization server's clock: the newest wins
    access_expires_at = BigInt()  # by our clock, counted from receipt
    pair_stored_at = BigInt()  # when the stored pair came, by a refresh or from a page or event
    pair_bought_at = BigInt()  # when a pair was last bought, or may have been
    renew_at = BigInt()
    token_state = Text()  # ok | reinstall_needed | uninstalled: the worth of the stored pair
    refresh_lease_id = _optional(Text)
    refresh_lease_until = BigInt()
    setup = Text()  # JSON: the steps of the installation, each with its outcome
    installed_at = BigInt()
    uninstalled_at = _optional(BigInt)
    erase_at = _optional(BigInt)
    last_event_at = _optional(BigInt)
    lookup_wanted_at = _optional(BigInt)
    lookup_claimed_at = BigInt()
    people_read_at = BigInt()
    synced_at = _optional(BigInt)
    contact_state = Text()  # ok, or why the portal is left alone until contact_retry_at (decision 0015)
    contact_failures = Integer()
    contact_retry_at = BigInt()
    contact_since = BigInt()
    license_ends_at = _optional(BigInt)
    is_license_over = Boolean()
    app_code = Text()  # CODE of app.info: our name in the portal's links; empty until the portal tells it
    checked_at = BigInt()  # when bindings and licence were last checked
    dead_since = BigInt()  # when the stored pair was found dead; counts only while token_state says so
    seen_at = BigInt()  # a page, session or odd event, noted once a day; calls are in last_event_at
    silence_warned_at = BigInt()  # when the vendor was first told that the portal is to be erased for silence


class UninstallCheckTable(Table, tablename="uninstall_checks"):
    """An uninstall that is not proven yet: an event, or only the answer to a refresh, told of it."""

    portal_id = BigInt(primary_key=True)
    generation = Integer()
    is_clean = Boolean()
    is_answered = Boolean()
    attempts = Integer()
    next_at = BigInt()
    claimed_until = BigInt()
    is_unannounced = Boolean()  # no event came, and so `is_clean` is false
    is_accepted = Boolean()  # the vendor has confirmed it, so the number of such portals does not matter
    noted_at = BigInt()


class ForgottenPortalTable(Table, tablename="forgotten_portals"):
    """A portal that only the installer page can install again, until `until` or, if the vendor forgot it, for
    good.
    """

    member_hash = Text(primary_key=True)
    at = BigInt()
    until = _optional(BigInt)  # null: for good


class PendingInstallationTable(Table, tablename="pending_installations"):
    """An ONAPPINSTALL or ONAPPUPDATE that waits to be verified, kept a day."""

    id = BigSerial(primary_key=True)
    member_id = Text()  # as the event named it, not proven
    origin = Text()  # the sender's network, or the portal itself if its application token came along
    sealed = Text()  # app.portals.entrance.offers.Offer
    received_at = BigInt()
    next_at = BigInt()
    attempts = Integer()
    claimed_until = BigInt()


class RestExchangeTable(Table, tablename="rest_exchanges"):
    """A request to Bitrix24 and its answer, redacted, kept a week (the Marketplace demands three days)."""

    id = BigSerial(primary_key=True)
    member_id = _optional(Text)
    at = BigInt()
    kind = Text()
    host = Text()
    method = Text()
    parameters = Text()
    status = _optional(Integer)
    error_code = _optional(Text)
    duration_ms = Integer()
    summary = Text()


class RateBucketTable(Table, tablename="rate_buckets"):
    """The recent requests of all processes to a portal; the bucket drains with time, by the database's
    clock.
    """

    member_id = Text(primary_key=True)
    backlog_ms = BigInt()  # how long the bucket takes to drain, from at_ms
    at_ms = BigInt()  # Unix milliseconds


class LeaseTable(Table, tablename="leases"):
    """The one holder that may act, until `expires_at`."""

    name = Text(primary_key=True)
    holder = Text()
    expires_at = BigInt()


class FactTable(Table, tablename="facts"):
    """A value of this whole Callbook, such as the sealed hash key, or the last check of our client secret."""

    name = Text(primary_key=True)
    value = Text()
    at = BigInt()


class PortalSettingsTable(Table, tablename="portal_settings"):
    """The settings of a portal's administrators, as in app.portals.settings.portal_settings; without a row
    the defaults hold.
    """

    portal_id = BigInt(primary_key=True)
    admins_see = Text()  # own | department | all
    heads_see = Text()
    employees_see = Text()
    time_zone = Text()
    locale = Text()
    line_names = Text()  # JSON: number -> name
    retention_months = _optional(Integer)
    changed_at = BigInt()
    changed_by = BigInt()
