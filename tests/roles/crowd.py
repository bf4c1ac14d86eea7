"""A process that asks a portal many things at once. ``python -m tests.roles.crowd MEMBER_ID COUNT``"""

import asyncio
import os
import sys

from app.portals import queries
from app.settings import Settings
from app.wiring import open_parts


async def ask(member_id: str, count: int) -> None:
    """As many requests, all wanted now; the first that fails ends it."""
    async with open_parts(Settings.from_environment(os.environ)) as parts:
        portal = await queries.find_portal(member_id)
        assert portal is not None
        await asyncio.gather(*(parts.access.call(portal, "profile", {}) for _ in range(count)))


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], int(sys.argv[2])))
