"""Pages of the app as a portal's frame opens them, and their contents, for tests."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

from app.demo.acts.stand_in_portal import StandInPortal
from tests.running import Callbook

TOKEN = re.compile(r'<meta name="session" content="([^"]+)">')


@dataclass(frozen=True)
class Tab:
    """An opened tab: its page, and requests with its session."""

    callbook: Callbook
    page: httpx.Response
    token: str

    async def get(self, path: str, **parameters: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.callbook.client.get(path, params=parameters, headers=headers)

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Post a form with these fields."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.callbook.client.post(path, data=fields, headers=headers)

    async def list_ids(self, **parameters: Any) -> list[str]:
        answer = await self.get("/api/v1/calls", **parameters)
        assert answer.status_code == 200, answer.text
        return [item["call_id"] for item in answer.json()["items"]]


async def install(callbook: Callbook, portal: StandInPortal) -> int:
    """Install the portal; return our id of it."""
    if not portal.installation.is_present:
        portal.add_app()
    answer = await portal.install(callbook.url)
    assert answer.status_code == 200, answer.text
    await callbook.settle()
    rows = await callbook.run_sql(f"SELECT id FROM portals WHERE member_id = '{portal.member_id}'")
    return int(rows[0]["id"])


async def open_tab(callbook: Callbook, portal: StandInPortal, user: int | None = None) -> Tab:
    page = await portal.open_page("/", user=user)
    assert page.status_code == 200, page.text
    found = TOKEN.search(page.text)
    assert found is not None
    return Tab(callbook, page, found.group(1))
