"""The wired parts that the web needs. `app.wiring` makes them, together with the parts that only the
scheduler and the commands need.
"""

import logging
from dataclasses import dataclass, field
from functools import partial

from litestar.di import NamedDependency
from litestar.params import SkipValidation

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
from app.portals.entrance.installation import Installer
from app.portals.entrance.setup import PortalSetup
from app.portals.entrance.visits import Opener
from app.portals.leases import Leases
from app.portals.news import Changes
from app.portals.outbound.access import PortalAccess
from app.settings import Settings
from app.web.http.answer_turns import Answers
from app.web.http.live_streams import Streams
from app.web.http.page_templates import Pages
from app.web.http.sessions import Sessions
from app.web.http.stream_places import make_audio_places, make_export_places


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """The parts that a handler may need; there is one of each in a process."""

    settings: Settings
    clock: Clock
    database: Database
    background: Background
    turns: PortalTurns
    directory: Directory
    access: PortalAccess
    installer: Installer
    opener: Opener
    setup: PortalSetup
    uninstaller: Uninstaller
    leases: Leases
    sessions: Sessions
    changes: Changes
    ingest: Ingest
    room: Room
    reconciliation: Reconciliation
    recorder: Recorder
    recordings: Recordings
    people: People
    pages: Pages
    streams: Streams = field(default_factory=Streams)
    answers: Answers = field(default_factory=Answers)
    audio_places: Places = field(default_factory=make_audio_places)
    export_places: Places = field(default_factory=make_export_places)
    refused_events: Repeats = field(default_factory=partial(Repeats, "event refused", "member_id", "network"))
    unstored_events: Repeats = field(
        default_factory=partial(Repeats, "event not stored", "error", level=logging.ERROR)
    )


# Without SkipValidation Litestar would check every field of the parts, and fail at a setting that may have
# either of two types.
GivenParts = NamedDependency[SkipValidation[WebParts]]
