"""What this package needs of the wired parts; `app.wiring.Parts` has all of it.

A protocol, because the assembly imports the web and not the other way round.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from app.bitrix24.incoming.payloads import Event, Page
from app.calls.intake.event_recorder import Recorder
from app.calls.intake.group_commit import Ingest
from app.calls.log.recordings import Recordings
from app.calls.space.room import Room
from app.calls.statistics.reconciliation import Reconciliation
from app.kit.clock import Clock
from app.kit.fairness.background import Background
from app.kit.fairness.places import Places
from app.kit.fairness.turns import PortalTurns
from app.kit.messages.repeats import Repeats
from app.kit.storage.database import Database
from app.people.service import People
from app.portals.departure.uninstall import Uninstaller
from app.portals.directory import Directory
from app.portals.entrance.installation import Opened
from app.portals.entrance.setup import PortalSetup
from app.portals.leases import Leases
from app.portals.outbound.access import PortalAccess
from app.settings import Settings
from app.web.http.answer_turns import Answers
from app.web.http.live_streams import Streams
from app.web.http.page_templates import Pages
from app.web.http.sessions import Sessions


class Opener(Protocol):
    """Lets verified people in."""

    async def open_page(self, page: Page, source: str) -> Opened:
        """For `POST /`; raises a Refusal."""
        ...

    async def open_session(self, member_id: str, access_token: str, source: str) -> Opened:
        """For `POST /session`; raises a Refusal."""
        ...


class Installer(Protocol):
    """Stores verified installations."""

    async def install_from_page(self, page: Page, source: str) -> Opened:
        """For `POST /install`; raises a Refusal."""
        ...

    async def install_from_event(self, event: Event, source: str) -> bool:
        """For ONAPPINSTALL and ONAPPUPDATE: False when it waits; raises a Refusal."""
        ...


class Watch(Protocol):
    """One watcher of a portal's calls."""

    async def wait(self) -> None:
        """Return once something has changed since the last return."""
        ...


class Changes(Protocol):
    """News of changed calls, from every process."""

    def announce(self, portal_id: int) -> None:
        """Wake who watches the portal in this process."""
        ...

    def watch(self, portal_id: int) -> AbstractAsyncContextManager[Watch]:
        """Watch one portal until the context ends."""
        ...


class WebParts(Protocol):
    """The parts that pages, API and live updates use."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102  As in app.settings.
    @property
    def clock(self) -> Clock: ...  # noqa: D102
    @property
    def database(self) -> Database: ...  # noqa: D102
    @property
    def background(self) -> Background: ...  # noqa: D102
    @property
    def turns(self) -> PortalTurns: ...  # noqa: D102
    @property
    def opener(self) -> Opener: ...  # noqa: D102
    @property
    def installer(self) -> Installer: ...  # noqa: D102
    @property
    def setup(self) -> PortalSetup: ...  # noqa: D102
    @property
    def access(self) -> PortalAccess: ...  # noqa: D102
    @property
    def changes(self) -> Changes: ...  # noqa: D102
    @property
    def directory(self) -> Directory: ...  # noqa: D102
    @property
    def ingest(self) -> Ingest: ...  # noqa: D102
    @property
    def reconciliation(self) -> Reconciliation: ...  # noqa: D102
    @property
    def room(self) -> Room: ...  # noqa: D102
    @property
    def recorder(self) -> Recorder: ...  # noqa: D102
    @property
    def refused_events(self) -> Repeats: ...  # noqa: D102
    @property
    def unstored_events(self) -> Repeats: ...  # noqa: D102
    @property
    def recordings(self) -> Recordings: ...  # noqa: D102
    @property
    def audio_places(self) -> Places: ...  # noqa: D102
    @property
    def uninstaller(self) -> Uninstaller: ...  # noqa: D102
    @property
    def leases(self) -> Leases: ...  # noqa: D102
    @property
    def people(self) -> People: ...  # noqa: D102
    @property
    def sessions(self) -> Sessions: ...  # noqa: D102
    @property
    def pages(self) -> Pages: ...  # noqa: D102
    @property
    def streams(self) -> Streams: ...  # noqa: D102
    @property
    def answers(self) -> Answers: ...  # noqa: D102
    @property
    def export_places(self) -> Places: ...  # noqa: D102


# Litestar would check the parts against the protocol, which it cannot.
GivenParts = NamedDependency[SkipValidation[WebParts]]
