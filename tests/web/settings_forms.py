"""The settings page for tests: its form, as a browser sends it."""

from typing import Any
from urllib.parse import urlencode

import httpx

from tests.web.browsing import Tab

USUAL = {
    "admins_see": "all",
    "heads_see": "department",
    "employees_see": "own",
    "time_zone": "",
    "locale": "",
    "retention_months": "",
}


async def post_settings(tab: Tab, lines: dict[str, str] | None = None, **changes: Any) -> httpx.Response:
    """Send the form with some fields changed."""
    pairs = [*(USUAL | changes).items()]
    for number, name in (lines or {}).items():
        pairs += [("line", number), ("line_name", name)]
    headers = {"Authorization": f"Bearer {tab.token}", "Content-Type": "application/x-www-form-urlencoded"}
    return await tab.callbook.client.post("/settings", content=urlencode(pairs), headers=headers)
