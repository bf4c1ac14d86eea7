"""The one place that makes the parts and puts them together, for the web, the scheduler and the command
line.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from app.bitrix24.rest.bucket import RateBucket
from app.bitrix24.rest.oauth import AuthorizationServer
from app.bitrix24.transport.address_policy import AddressPolicy
from app.bitrix24.transport.host_names import NameServers, PortalNames
from app.bitrix24.transport.media import MediaClient
from app.bitrix24.transport.network import open_http_client
from app.calls.intake.event_recorder import Recorder
from app.calls.intake.group_commit import Ingest
from app.calls.log.recordings import Recordings
from app.calls.log.view_queries import count_views
from app.calls.oddities.undecodable_events import count_events
from app.calls.removal.erasure import (
    erase_calls,
    erase_mark,
    erase_some_undecodable_events,
    erase_usage,
    erase_views,
)
from app.calls.removal.retention import Retention
from app.calls.space.room import Room
from app.calls.space.usage_count import Recount
from app.calls.statistics.lookups import Lookups
from app.calls.statistics.progress.evidence import Evidence
from app.calls.statistics.read_turns import Histories
from app.calls.statistics.reconciliation import Reconciliation
from app.kit.clock import Clock, SystemClock
from app.kit.fairness.background import Background
from app.kit.fairness.budget import Limits, RecentlySeen
from app.kit.fairness.turns import PortalTurns
from app.kit.storage.database import Database
from app.people.department_queries import count_departments, count_memberships
from app.people.erasure import erase_some_people
from app.people.preference_queries import count_preferences
from app.people.queries import count_people
from app.people.service import People
from app.people.visibility import find_visible
from app.portals import queries
from app.portals.absence.tombstones import Tombstones
from app.portals.departure.erasure import Erasers, Erasure
from app.portals.departure.uninstall import Uninstaller
from app.portals.directory import Directory
from app.portals.entrance.installation import FollowUp, Installer
from app.portals.entrance.setup import PortalSetup
from app.portals.entrance.verification import Verifier
from app.portals.entrance.visits import Opener
from app.portals.leases import Leases
from app.portals.model import Portal
from app.portals.news import Changes
from app.portals.outbound.access import PortalAccess
from app.portals.outbound.clients import PortalClients
from app.portals.outbound.exchange_queries import count_exchanges, record_exchange
from app.portals.outbound.moves import Moves
from app.portals.outbound.rate import SharedAccounts
from app.portals.settings.quotas import USUAL, Quotas
from app.portals.settings.settings_queries import erase_settings, find_settings
from app.portals.states.addresses import Addresses
from app.portals.tokens.refresh import Refresher
from app.portals.vault import Vault
from app.schema import check_schema, migrate
from app.settings import Settings
from app.tables import TABLES
from app.web.http.page_templates import Pages
from app.web.http.parts import WebParts
from app.web.http.sessions import Sessions

SHUTDOWN_S = 35.0  # A refresh under way may take its lease of 30 s.


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(WebParts):
    """All parts that a handler, a job or a command may need. The parts that handlers need are the fields of
    `WebParts`.
    """

    vault: Vault
    refresher: Refresher
    erasure: Erasure
    histories: Histories
    retention: Retention
    recount: Recount
    lookups: Lookups
    evidence: Evidence


@asynccontextmanager
async def open_parts(
    settings: Settings,
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    quotas: Quotas = USUAL,
    rate_clock: Clock | None = None,
    is_migrating: bool = False,
) -> AsyncIterator[Parts]:
    """Open the database and every part; at the end, let running work finish, then close in reverse order.

    `rate_clock` replaces the database's clock, by which all processes count the requests to a portal.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url, TABLES)
        stack.push_async_callback(database.close)
        await database.open()
        vault = Vault(settings.keyring, clock)
        if is_migrating:
            await migrate(database)
            await vault.create_hash_key()
        await check_schema(database)
        await vault.open()
        accounts = SharedAccounts(database, rate_clock)
        outbound = await _open_outbound(settings, clock, accounts, stack)
        ground = Ground(
            settings=settings,
            clock=clock,
            database=database,
            vault=vault,
            background=Background(),
            limits=limits or Limits(),
            quotas=quotas,
        )
        parts = _put_together(ground, outbound)
        await parts.changes.start()
        stack.push_async_callback(parts.changes.stop)
        await parts.ingest.start()
        stack.push_async_callback(parts.ingest.stop)
        stack.push_async_callback(parts.background.drain, SHUTDOWN_S)
        stack.push_async_callback(parts.turns.stop)
        stack.callback(parts.histories.stop)
        yield parts


@dataclass(frozen=True, slots=True)
class Outbound:
    """The only parts that send requests to Bitrix24."""

    policy: AddressPolicy
    clients: PortalClients
    server: AuthorizationServer
    media: MediaClient


async def _open_outbound(
    settings: Settings, clock: Clock, accounts: SharedAccounts, stack: AsyncExitStack
) -> Outbound:
    policy = AddressPolicy(
        settings.oauth_servers,
        allow_http=settings.is_http_portal_allowed,
        private=settings.private_portals,
    )
    name_servers = NameServers()
    stack.push_async_callback(name_servers.close)
    names = PortalNames(name_servers.resolve)
    to_portals = await stack.enter_async_context(open_http_client(policy, "portals", names=names))
    # Recordings play for minutes, so they have connections of their own, for which no REST call waits.
    to_files = await stack.enter_async_context(open_http_client(policy, "portals", names=names))
    to_servers = await stack.enter_async_context(open_http_client(policy, "oauth"))
    return Outbound(
        policy,
        PortalClients(
            http=to_portals, policy=policy, bucket=RateBucket(accounts), record=record_exchange, clock=clock
        ),
        AuthorizationServer(
            to_servers, policy, settings.client_id, settings.client_secret, record_exchange, clock
        ),
        MediaClient(to_files, policy),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The basis of most parts. `limits` bound the questions that strangers and portals cause, `quotas` the
    storage of each portal.
    """

    settings: Settings
    clock: Clock
    database: Database
    vault: Vault
    background: Background
    limits: Limits
    quotas: Quotas


def _make_erasure(ground: Ground, changes: Changes) -> Erasure:
    at_once = (erase_some_people, erase_some_undecodable_events, erase_mark)
    with_calls = (erase_calls, erase_views, erase_settings, erase_usage)
    tombstones = Tombstones(ground.vault, ground.clock)
    return Erasure(ground.database, ground.clock, changes, Erasers(at_once, with_calls), tombstones)


def _make_recount(database: Database, clock: Clock) -> Recount:
    counters = {
        "undecodable": count_events,
        "people": count_people,
        "departments": count_departments,
        "memberships": count_memberships,
        "views": count_views,
        "preferences": count_preferences,
        "requests": count_exchanges,
    }
    return Recount(database, clock, counters)


def _make_follow_up(setup: PortalSetup, people: People, histories: Histories) -> FollowUp:
    """The work that follows a stored installation: bindings, users, the first slice of the history."""

    async def follow_up(portal: Portal, access_token: str) -> None:
        await setup.begin(portal, access_token)
        await people.refresh(portal)
        await histories.run_slice(portal)

    return follow_up


def _make_access(ground: Ground, outbound: Outbound) -> tuple[Refresher, Moves, PortalAccess]:
    """The parts that use portals' stored pairs and find moved portals."""
    server, clients, vault, clock = outbound.server, outbound.clients, ground.vault, ground.clock
    addresses = Addresses(server, outbound.policy, vault, clock, ground.background)
    refresher = Refresher(server, addresses, vault, clock, ground.background)
    moves = Moves(server, addresses, vault, refresher, clock)
    return refresher, moves, PortalAccess(clients, vault, refresher, moves, clock)


def _make_verifier(ground: Ground, outbound: Outbound) -> Verifier:
    server, policy, clients = outbound.server, outbound.policy, outbound.clients
    return Verifier(server, policy, clients, ground.settings.client_id, ground.clock, ground.limits)


def _make_log(ground: Ground, access: PortalAccess, changes: Changes) -> tuple[Room, Ingest, Histories]:
    """The parts that write calls, within the portals' quotas."""
    database, clock = ground.database, ground.clock
    room = Room(database, clock, ground.quotas)
    histories = Histories(access, database, clock, changes, room)
    return room, Ingest(database, clock, changes, room), histories


def _put_together(ground: Ground, outbound: Outbound) -> Parts:
    settings, clock, database, vault = ground.settings, ground.clock, ground.database, ground.vault
    turns, changes, directory = PortalTurns(ground.background), Changes(database), Directory(vault)
    refresher, moves, access = _make_access(ground, outbound)
    setup = PortalSetup(outbound.clients, access, RecentlySeen(clock), settings.app_url, clock)
    erasure = _make_erasure(ground, changes)
    room, ingest, histories = _make_log(ground, access, changes)
    lookups, evidence = Lookups(histories, database, clock, turns), Evidence(database, clock)
    people = People(access, database, clock, ground.quotas, changes)
    verifier, follow_up = _make_verifier(ground, outbound), _make_follow_up(setup, people, histories)
    installer = Installer(verifier, vault, moves.addresses, database, clock, turns, ground.limits, follow_up)
    return Parts(
        settings=settings,
        clock=clock,
        database=database,
        background=ground.background,
        turns=turns,
        vault=vault,
        directory=directory,
        access=access,
        refresher=refresher,
        installer=installer,
        opener=Opener(verifier, vault, setup, moves, database, clock, turns, installer),
        setup=setup,
        uninstaller=Uninstaller(outbound.server, refresher, vault, erasure, clock, turns),
        erasure=erasure,
        leases=Leases(clock),
        sessions=Sessions(settings.keyring, clock, queries.get_portal, find_settings, find_visible),
        changes=changes,
        ingest=ingest,
        histories=histories,
        retention=Retention(database, clock, erasure.note_overwriting, room),
        room=room,
        recount=_make_recount(database, clock),
        lookups=lookups,
        evidence=evidence,
        reconciliation=Reconciliation(histories, clock, ground.background, turns),
        recorder=Recorder(directory, ingest, lookups, evidence, ground.quotas, clock),
        recordings=Recordings(access, outbound.media, clock),
        people=people,
        pages=Pages(settings),
    )
