"""A process that sends a portal many requests at once. ``python -m tests.roles.crowd MEMBER_ID COUNT``"""

import asyncio
import os
import sys

from app.portals import queries
from app.settings import Settings
from app.wiring import open_parts


async def ask(member_id: str, count: int) -> None:
    """Send so many requests at once; the first failure ends the process."""
    async with open_parts(Settings.from_environment(os.environ)) as parts:
        portal = await queries.find_portal(member_id)
        assert portal is not None
        await asyncio.gather(*(parts.access.call(portal, "profile", {}) for _ in range(count)))


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], int(sys.argv[2])))
