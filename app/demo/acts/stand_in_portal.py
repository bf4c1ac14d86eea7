"""One portal, with the acts by which tests and the demo drive it."""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx

from app.demo.acts import events
from app.demo.acts.calls import EndedCall, EndingCall, record_call
from app.demo.core.php import build_query
from app.demo.core.state import PortalState, User
from app.demo.core.statistics import StatisticsRow
from app.demo.core.tokens import ACCESS_LIFE_S
from app.demo.core.world import Portal, World

Form = dict[str, str]


class StandInPortal(Portal):
    """A portal of the stand-in; all its acts concern the app of `stand_in.client_id`."""

    def __init__(self, stand_in: World[Portal], state: PortalState) -> None:
        super().__init__(stand_in, state)
        self.delayed: deque[events.Post] = deque()
        self.sends_install_event = True

    async def move(self, *, leaves_redirect: bool = True) -> None:
        """Give the portal a new address; the old one answers 302, or refuses connections."""
        old = self.state.port
        self.state.port = await self.stand_in.listen()
        if leaves_redirect:
            self.state.moved_from_ports.append(old)
        else:
            await self.stand_in.stop_listening(old)

    # Pages

    def page_form(
        self,
        user: User | int | None = None,
        placement: str = "DEFAULT",
        placement_options: Mapping[str, Any] | None = None,
        *,
        is_new_portal: bool = True,
        app_sid: str | None = None,
    ) -> tuple[Form, Form]:
        """Query and body of the POST that opens a page of the app (docs/bitrix24.md, "Pages").

        `is_new_portal` adds SERVER_ENDPOINT, APPLICATION_TOKEN and APPLICATION_SCOPE, as in
        api-reference/widgets/telephony/analytics-menu.md.
        """
        pair, installation = self.issue_pair(user), self.installation
        query = {
            "DOMAIN": self.domain,
            "PROTOCOL": "0",
            "LANG": self.state.language,
            "APP_SID": app_sid or secrets.token_hex(16),
        }
        form = {
            "AUTH_ID": pair.access_token,
            "AUTH_EXPIRES": str(ACCESS_LIFE_S),
            "REFRESH_ID": pair.refresh_token,
        }
        if is_new_portal:
            form |= {
                "SERVER_ENDPOINT": self.stand_in.server_endpoint,
                "APPLICATION_TOKEN": installation.application_token,
                "APPLICATION_SCOPE": ",".join(installation.scope),
            }
        form |= {"member_id": self.member_id, "status": installation.status, "PLACEMENT": placement}
        if placement_options:
            form["PLACEMENT_OPTIONS"] = json.dumps(placement_options).replace("/", "\\/")
        return query, form

    async def open_page(
        self,
        path: str = "/",
        user: User | int | None = None,
        placement: str = "DEFAULT",
        options: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """POST a page of the app as the frame does."""
        query, form = self.page_form(user, placement, options)
        return await self.post_form(f"{self.stand_in.app_url}{path}?{urlencode(query)}", build_query(form))

    async def install(
        self, app_url: str | None = None, user: User | int | None = None, *, finish: bool = True
    ) -> httpx.Response:
        """Open the installer page; returns its answer. With `finish`, a 200 finishes the installation."""
        if app_url is not None:
            self.stand_in.app_url = app_url.rstrip("/")
        if not self.installation.is_present:
            self.add_app()
        answer = await self.open_page("/install", user=user)
        if finish and answer.status_code == httpx.codes.OK:
            self.installation.is_finished = True
        return answer

    def add_app(self, *, keeps_application_token: bool = False) -> None:
        """Put the app into the portal, its installation not finished, by default with a new
        application_token.
        """
        self.installation.is_present = True
        self.installation.is_finished = False
        if not keeps_application_token:
            self.installation.application_token = secrets.token_hex(16)

    # Events

    async def post_form(self, url: str, body: str) -> httpx.Response:
        """POST a form without following redirects."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self.stand_in.http.post(url, content=body, headers=headers)

    async def end_call(
        self,
        call: EndingCall | None = None,
        *,
        lose: bool = False,
        duplicates: int = 0,
        delay: bool = False,
        with_user: bool = True,
        leg_events: bool = True,
        data: Mapping[str, str | None] | None = None,
        **fields: object,
    ) -> EndedCall:
        """End a call: write its rows in the statistics, then send ONVOXIMPLANTCALLEND to every handler.

        `fields` replace those of `EndingCall`. With `lose` no event is sent. With `duplicates` each event is
        sent again that many times. With `delay` the events are kept for `deliver_delayed`. `with_user=False`
        sends events without user tokens, `leg_events=False` only that of the last leg. `data` replaces data
        keys of the last event (None leaves a key out).
        """
        rows = record_call(self, call or EndingCall(), fields)
        posts = events.call_end_posts(
            self, rows if leg_events else rows[-1:], with_user=with_user, data=data or {}
        )
        posts = [] if lose else posts * (1 + duplicates)
        if delay:
            self.delayed.extend(posts)
            posts = []
        return EndedCall(rows, await asyncio.gather(*(self.deliver(post) for post in posts)))

    async def deliver(self, post: events.Post) -> httpx.Response:
        """Send one event now; returns the app's answer."""
        return await self.post_form(post.url, post.body)

    async def deliver_delayed(self, *, newest_first: bool = False) -> list[httpx.Response]:
        """Send the events that `end_call(delay=True)` kept, one after another."""
        waiting = list(self.delayed)
        self.delayed.clear()
        return [await self.deliver(post) for post in (reversed(waiting) if newest_first else waiting)]

    async def install_event(self, user: User | int | None = None, **changes: object) -> httpx.Response:
        """Send ONAPPINSTALL with a fresh pair of the user; `changes` replace fields of `auth`."""
        return await self.deliver(events.install_post(self, user, changes))

    async def update_event(
        self, user: User | int | None = None, *, drops_bindings: bool = False, **changes: object
    ) -> httpx.Response:
        """Update the app: send ONAPPUPDATE with a new application_token. `drops_bindings` silently drops all
        event handlers and placements.
        """
        self.installation.version += 1
        self.installation.application_token = secrets.token_hex(16)
        post = events.update_post(self, user, changes)
        if drops_bindings:
            self.installation.events.clear()
            self.installation.placements.clear()
        return await self.deliver(post)

    async def uninstall(
        self, *, clean: bool = True, send: bool = True, answers: Mapping[str, tuple[str, int]] | None = None
    ) -> httpx.Response | None:
        """Remove the app: kill its tokens, drop its bindings, then send ONAPPUNINSTALL.

        `answers` holds code and status with which "app.info", "oauth.refresh" and "rest" answer dead tokens.
        """
        post = events.uninstall_post(self, clean=clean)
        self.installation.dead_answers.update(answers or {})
        self.stand_in.tokens.kill(self.state, self.stand_in.client_id)
        self.installation.is_present = self.installation.is_finished = False
        self.installation.events.clear()
        self.installation.placements.clear()
        return await self.deliver(post) if send else None

    async def uninstall_event(self, *, clean: bool = True, **changes: object) -> httpx.Response:
        """Send ONAPPUNINSTALL while the app is still installed, as a forgery or a late event does."""
        return await self.deliver(events.uninstall_post(self, changes, clean=clean))

    def change_row(self, statistics_id: int, **fields: object) -> StatisticsRow:
        """Change fields of a row of the statistics, as late facts do (record_file_id, vote, comment…)."""
        row = next(row for row in self.state.statistics if row.id == statistics_id)
        for name, value in fields.items():
            setattr(row, name, value)
        return row
