"""Where a read of the statistics writes, and for which installation of the portal."""

import msgspec

from app.calls.space.room import Room
from app.kit.storage.database import Database
from app.portals.news import Changes


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where a read writes, and for which installation of the portal."""

    database: Database
    changes: Changes
    portal_id: int
    generation: int
    room: Room
