"""The first schema. Plain SQL for both databases, because Piccolo's own constraints fail on SQLite."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-23T09:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Portals, calls, people"

CALL_COLUMNS = """
    type INTEGER, phone_number TEXT, portal_number TEXT, user_id BIGINT, started_at BIGINT NOT NULL,
    is_start_guessed BOOLEAN NOT NULL DEFAULT FALSE, duration_s BIGINT, cost_e4 BIGINT, currency TEXT,
    code TEXT, reason TEXT, crm_activity_id BIGINT, crm_entity_type TEXT, crm_entity_id BIGINT,
    has_recording BOOLEAN NOT NULL DEFAULT FALSE,
    has_transcript BOOLEAN NOT NULL DEFAULT FALSE, received_at BIGINT NOT NULL
"""

STATEMENTS = (
    """CREATE TABLE portals (
        id {identity}, member_id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, generation INTEGER NOT NULL,
        domain TEXT NOT NULL, client_endpoint TEXT NOT NULL, oauth_server TEXT NOT NULL,
        license_status TEXT NOT NULL, language TEXT NOT NULL, application_token_hash TEXT,
        application_token_dated_at BIGINT NOT NULL, access_token TEXT, refresh_token TEXT,
        token_version INTEGER NOT NULL, token_user_id BIGINT, pair_dated_at BIGINT NOT NULL,
        access_expires_at BIGINT NOT NULL, renew_at BIGINT NOT NULL, token_state TEXT NOT NULL,
        refresh_lease_id TEXT, refresh_lease_until BIGINT NOT NULL, setup TEXT NOT NULL,
        installed_at BIGINT NOT NULL, uninstalled_at BIGINT, erase_at BIGINT,
        last_event_at BIGINT, lookup_wanted_at BIGINT, lookup_claimed_at BIGINT NOT NULL,
        people_read_at BIGINT NOT NULL, synced_at BIGINT)""",
    """CREATE TABLE uninstall_checks (
        portal_id BIGINT PRIMARY KEY, generation INTEGER NOT NULL, is_clean BOOLEAN NOT NULL,
        is_answered BOOLEAN NOT NULL, attempts INTEGER NOT NULL, next_at BIGINT NOT NULL, claimed_until
        BIGINT NOT NULL)""",
    f"""CREATE TABLE calls (
        id {{identity}}, portal_id BIGINT NOT NULL, call_id TEXT NOT NULL, phone_digits TEXT,
        source TEXT NOT NULL, {CALL_COLUMNS})""",
    "CREATE UNIQUE INDEX calls_portal_call ON calls (portal_id, call_id)",
    "CREATE INDEX calls_log ON calls (portal_id, started_at DESC, id DESC)",
    f"""CREATE TABLE call_legs (
        id {{identity}}, portal_id BIGINT NOT NULL, call_id TEXT NOT NULL, statistics_id BIGINT,
        {CALL_COLUMNS})""",
    "CREATE UNIQUE INDEX call_legs_portal_statistics ON call_legs (portal_id, statistics_id)",
    """CREATE UNIQUE INDEX call_legs_event ON call_legs (portal_id, call_id, started_at)
        WHERE statistics_id IS NULL""",
    "CREATE INDEX call_legs_call ON call_legs (portal_id, call_id)",
    """CREATE TABLE undecodable_events (
        id {identity}, portal_id BIGINT NOT NULL, event TEXT NOT NULL, payload TEXT NOT NULL,
        reason TEXT NOT NULL, received_at BIGINT NOT NULL)""",
    "CREATE INDEX undecodable_events_portal ON undecodable_events (portal_id, id)",
    """CREATE TABLE people (
        id {identity}, portal_id BIGINT NOT NULL, user_id BIGINT NOT NULL, name TEXT NOT NULL,
        is_active BOOLEAN NOT NULL)""",
    "CREATE UNIQUE INDEX people_portal_user ON people (portal_id, user_id)",
    """CREATE TABLE rest_exchanges (
        id {identity}, member_id TEXT, at BIGINT NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL,
        method TEXT NOT NULL, parameters TEXT NOT NULL, status INTEGER, error_code TEXT,
        duration_ms INTEGER NOT NULL, summary TEXT NOT NULL)""",
    "CREATE INDEX rest_exchanges_at ON rest_exchanges (at)",
    "CREATE INDEX rest_exchanges_member ON rest_exchanges (member_id)",
    "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL, at BIGINT NOT NULL)",
)


async def forwards() -> MigrationManager:
    """Create the tables."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
