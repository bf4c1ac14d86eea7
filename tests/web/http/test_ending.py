"""Requests that wait when the process ends: each is told to come again, and none is cut off with a
traceback.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from piccolo.columns.combination import WhereRaw

from app.asgi import end_waits
from app.calls.log.selection import filter_queries
from app.demo.stand_in import StandIn
from app.web.http.answer_turns import Answering, Answers
from tests.patience import PATIENCE_S, wait_until
from tests.running import Callbook
from tests.web.browsing import install, open_tab
from tests.web.logged_calls import insert_calls

ENDLESS = "0 = (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT 1 FROM c) SELECT COUNT(*) FROM c)"
SEARCHES = 16
HAVE_CONNECTIONS = 2  # The most of one user.


async def test_a_request_that_waits_for_a_turn_or_a_connection_is_told_to_come_again(
    callbook: Callbook, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filter_queries, "_having_number", lambda _: WhereRaw(ENDLESS))
    callbook.parts.database.engine.turns.limit_s = 3600
    await insert_calls(await install(callbook, stand_in.portals[0]), {})
    tab = await open_tab(callbook, stand_in.portals[0])
    searches = [asyncio.create_task(tab.get("/api/v1/calls", q="7")) for _ in range(SEARCHES)]
    async with asyncio.timeout(PATIENCE_S):
        await wait_until(lambda: callbook.parts.answers.places.count == SEARCHES)
        end_waits(callbook.parts)
        while len(refused := [task for task in searches if task.done()]) < SEARCHES - HAVE_CONNECTIONS:
            await asyncio.wait(set(searches) - set(refused), return_when=asyncio.FIRST_COMPLETED)
    for task in refused:
        assert (task.result().status_code, task.result().json()["code"]) == (503, "unavailable")
        assert task.result().headers["Retry-After"]
    for task in searches:
        task.cancel()
    await asyncio.gather(*searches, return_exceptions=True)


@pytest.mark.parametrize("has_begun", [False, True])
async def test_an_answer_that_the_server_cuts_off_ends_without_an_error(has_begun: bool) -> None:  # noqa: FBT001
    answers, sent, begun = Answers(), list[dict[str, Any]](), asyncio.Event()

    async def take_long(_scope: Any, _receive: Any, send: Any) -> None:
        if has_begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        await asyncio.Event().wait()

    async def keep(message: Any) -> None:
        sent.append(message)

    parts = SimpleNamespace(answers=answers)
    scope: Any = {"litestar_app": SimpleNamespace(state=SimpleNamespace(parts=parts))}
    app: Any = Answering(take_long)
    request = asyncio.create_task(app(scope, None, keep))
    await begun.wait()
    answers.stop()
    request.cancel()
    await request
    assert [message.get("status") for message in sent] == ([200] if has_begun else [503, None])
