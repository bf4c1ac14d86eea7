"""The events of the stand-in's queue server, as in shared/samples, and their receivers."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from app.demo.acts.invented_calls import Caller, lay_history
from app.demo.core.listener import Listener, listen
from app.demo.core.php import build_query, parse_query


class Receiver:
    """An app that answers 200 to every request and remembers it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"].decode()
        self.paths.append(scope["path"])
        self.bodies.append(dict(parse_qsl(body, keep_blank_values=True)))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    app = Receiver()
    listener: Listener = await listen(app)
    yield app, f"http://127.0.0.1:{listener.port}"
    await listener.stop()


@pytest.fixture
async def installed(bitrix: Any, receiver: Any) -> Any:
    app, url = receiver
    await bitrix.portal.install(url)
    await bitrix.call("event.bind", {"event": "ONVOXIMPLANTCALLEND", "handler": f"{url}/events"})
    app.bodies.clear()
    return bitrix.portal


async def test_the_installer_page_is_posted_and_finished(bitrix: Any, receiver: Any) -> None:
    app, url = receiver
    app.status = 403
    await bitrix.portal.install(url)
    assert not bitrix.portal.installation.is_finished
    app.status = 200
    await bitrix.portal.install(url)
    assert bitrix.portal.installation.is_finished
    assert app.paths == ["/install", "/install"]
    assert app.bodies[0]["member_id"] == bitrix.portal.member_id
    assert app.bodies[0]["APPLICATION_TOKEN"] == bitrix.portal.application_token


async def test_a_call_end_looks_like_the_samples(installed: Any, receiver: Any) -> None:
    ended = await installed.end_call(phone_number="+12025550143", duration_s=5)
    body = receiver[0].bodies[0]
    assert ended.response.status_code == 200
    assert body["event"] == "ONVOXIMPLANTCALLEND"
    assert body["data[PHONE_NUMBER]"] == "+12025550143"
    assert body["data[CALL_ID]"] == ended.call_id
    assert body["auth[user_id]"] == "12"
    assert "auth[refresh_token]" not in body
    assert "data[CRM_ACTIVITY_ID]" not in body


async def test_tokens_and_data_can_be_left_out(installed: Any, receiver: Any) -> None:
    await installed.end_call(with_user=False, data={"COST": None, "CALL_TYPE": "seven"})
    body = receiver[0].bodies[0]
    assert "auth[access_token]" not in body
    assert "data[COST]" not in body
    assert body["data[CALL_TYPE]"] == "seven"


async def test_events_are_lost_doubled_and_late(installed: Any, receiver: Any) -> None:
    app = receiver[0]
    await installed.end_call(lose=True)
    assert app.bodies == []
    await installed.end_call(duplicates=1)
    assert len(app.bodies) == 2
    await installed.end_call(delay=True, call_id="early")
    await installed.end_call(delay=True, call_id="later")
    assert len(app.bodies) == 2
    await installed.deliver_delayed(newest_first=True)
    assert [body["data[CALL_ID]"] for body in app.bodies[2:]] == ["later", "early"]
    assert len(installed.state.statistics) == 4


async def test_a_redirected_call_has_legs_under_one_id(installed: Any, receiver: Any) -> None:
    ended = await installed.end_call(redirected_from=(14, 18), user_id=12)
    assert [row.user_id for row in ended.rows] == [14, 18, 12]
    assert [row.code for row in ended.rows] == ["304", "304", "200"]
    assert [row.call_type for row in ended.rows] == [2, 2, 3]
    assert len({row.call_id for row in ended.rows}) == 1
    assert len({row.started_at for row in ended.rows}) == 3
    assert len(receiver[0].bodies) == 3


async def test_no_call_events_before_the_installation_is_finished(installed: Any, receiver: Any) -> None:
    installed.installation.is_finished = False
    assert (await installed.end_call()).responses == []


async def test_install_update_and_uninstall(bitrix: Any, installed: Any, receiver: Any) -> None:
    app = receiver[0]
    await installed.install_event()
    assert app.bodies[-1]["event"] == "ONAPPINSTALL"
    info = await bitrix.app_info(app.bodies[-1]["auth[access_token]"])
    assert info.json()["result"]["install"]["member_id"] == installed.member_id
    before = installed.application_token
    await installed.update_event(drops_bindings=True)
    assert app.bodies[-1]["auth[application_token]"] == installed.application_token != before
    assert app.bodies[-1]["data[PREVIOUS_VERSION]"] == "1"
    assert installed.installation.events == []
    await installed.uninstall_event(application_token="forged")
    assert app.bodies[-1]["auth[application_token]"] == "forged"
    assert installed.installation.is_present
    await installed.uninstall(clean=False)
    assert app.bodies[-1]["data[CLEAN]"] == "0"
    assert "auth[access_token]" not in app.bodies[-1]
    assert not installed.installation.is_present


def test_php_writes_and_reads_brackets() -> None:
    fields = {"a": {"b": "x y", "c": None, "d": False, "e": ["+1", "~"], "f": []}}
    query = build_query(fields)
    assert query == "a%5Bb%5D=x+y&a%5Bd%5D=0&a%5Be%5D%5B0%5D=%2B1&a%5Be%5D%5B1%5D=%7E"
    assert parse_query(query) == {"a": {"b": "x y", "d": "0", "e": {"0": "+1", "1": "~"}}}
    assert parse_query("k[]=1&k[]=2&k[x][y]=3") == {"k": {"0": "1", "1": "2", "x": {"y": "3"}}}


async def test_the_same_seed_makes_the_same_calls(bitrix: Any) -> None:
    state = bitrix.portal.state
    calls = [Caller(state, 3).next_call(0) for _ in range(2)]
    assert calls[0] == calls[1]
    caller = Caller(state)
    many = [caller.next_call(0) for _ in range(400)]
    assert {call.call_type for call in many} == {1, 2, 4, 5}
    assert {"200", "304", "603-S", "OTHER"} <= {call.code for call in many}
    assert "hidden" in {call.phone_number for call in many}


async def test_a_history_is_laid_in_order(bitrix: Any, clock: Any) -> None:
    count = lay_history(bitrix.portal, Caller(bitrix.portal.state), days=3)
    rows = bitrix.portal.state.statistics
    assert len(rows) >= count > 60
    assert all(row.started_at < clock.now() for row in rows)
    assert len({row.call_id for row in rows}) == count
