"""The few methods that have a function of their own."""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import pytest

from app.bitrix24.errors import TOO_LARGE, BitrixError, TooLarge, Unreachable
from app.bitrix24.methods.bindings import bind_events, bind_placements
from app.bitrix24.methods.cards import CARDS, list_call_activities
from app.bitrix24.methods.profile import Profile, fetch_profile
from app.bitrix24.methods.users import LONGEST_NAME, MOST_DEPARTMENTS_OF_USER, User, list_users
from app.bitrix24.rest.answers import CALL
from app.bitrix24.rest.exchange import Exchange
from app.bitrix24.rest.portal_client import PortalClient

HANDLER = "https://app.example/events"
read_users = partial(list_users, most_users=10_000, most_memberships=10_000)
TOKEN = "the-access-token"


def by_method(server: Any, **answers: Any) -> None:
    """Answer each method (its name with `_` for the dot) with a result, or by a function of the request."""
    reply_type = server.reply

    def handler(request: Any) -> Any:
        answer = answers[request.path.removeprefix("/rest/").replace(".", "_")]
        document = answer(request) if callable(answer) else {"result": answer}
        return reply_type(document)

    server.handler = handler


async def test_a_profile_tells_whether_the_user_is_an_admin(portal: PortalClient, server: Any) -> None:
    by_method(server, profile={"ID": "1", "ADMIN": True, "NAME": "Ann", "LAST_NAME": "Lee", "TIME_ZONE": ""})
    assert await fetch_profile(portal, TOKEN) == Profile(
        user_id=1, is_admin=True, name="Ann Lee", time_zone="", time_zone_offset_s=None
    )
    by_method(
        server, profile={"ID": 7, "NAME": None, "TIME_ZONE": "Europe/Berlin", "TIME_ZONE_OFFSET": "-3600"}
    )
    assert await fetch_profile(portal, TOKEN) == Profile(
        user_id=7, is_admin=False, name="", time_zone="Europe/Berlin", time_zone_offset_s=-3600
    )


@pytest.mark.parametrize("admin", [False, "N", "", None, [1], "0", 0, {"x": 1}])
async def test_any_answer_but_yes_is_no_admin(portal: PortalClient, server: Any, admin: object) -> None:
    by_method(server, profile={"ID": "1", "ADMIN": admin})
    assert not (await fetch_profile(portal, TOKEN)).is_admin


async def test_an_inactive_user_has_no_profile(portal: PortalClient, server: Any) -> None:
    by_method(server, profile=[])
    with pytest.raises(BitrixError, match="user_inactive"):
        await fetch_profile(portal, TOKEN)
    by_method(server, profile={"NAME": "Ann"})
    with pytest.raises(Unreachable):
        await fetch_profile(portal, TOKEN)


async def test_a_profile_that_is_held_back_or_too_large_is_not_waited_for(
    portal: PortalClient, server: Any, exchanges: list[Exchange], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_method(server, profile={"ID": "1", "NAME": "x" * CALL.most_bytes})
    with pytest.raises(TooLarge):
        await fetch_profile(portal, TOKEN)
    never = asyncio.Event()

    async def hold_back(_: Any) -> Any:
        await never.wait()
        return server.reply({"result": {"ID": "1"}})

    server.handler = hold_back
    monkeypatch.setattr("app.bitrix24.methods.profile.TOTAL_S", 0.05)
    with pytest.raises(Unreachable, match="in time"):
        await fetch_profile(portal, TOKEN)
    assert [exchange.error_code for exchange in exchanges] == [TOO_LARGE, "cancelled"]
    never.set()


async def test_only_missing_events_are_bound(portal: PortalClient, server: Any) -> None:
    bound = [
        {"event": "ONAPPINSTALL", "handler": HANDLER, "auth_type": "0", "offline": 0},
        {"event": "ONAPPUPDATE", "handler": HANDLER, "auth_type": "15", "offline": 0},
        {"event": "ONAPPUNINSTALL", "handler": "https://old.example/", "auth_type": "0", "offline": 0},
    ]
    by_method(server, event_get=bound, batch={"result": {}, "result_error": []})
    events = ["ONAPPINSTALL", "ONAPPUPDATE", "ONAPPUNINSTALL", "ONVOXIMPLANTCALLEND"]
    assert await bind_events(portal, TOKEN, HANDLER, events) == events[1:]
    commands, stale = (request.json["cmd"] for request in server.requests[-2:])
    assert list(commands) == events[1:]
    assert list(stale.values()) == ["event.unbind?event=ONAPPUNINSTALL&handler=https%3A%2F%2Fold.example%2F"]
    assert commands["ONAPPUPDATE"] == (
        "event.bind?event=ONAPPUPDATE&handler=https%3A%2F%2Fapp.example%2Fevents"
    )


async def test_nothing_is_bound_twice(portal: PortalClient, server: Any) -> None:
    by_method(server, event_get=[{"event": "X", "handler": HANDLER}])
    assert await bind_events(portal, TOKEN, HANDLER, ["X"]) == []
    assert len(server.requests) == 1


async def test_a_binding_that_another_made_meanwhile_is_a_success(portal: PortalClient, server: Any) -> None:
    told = {"error": "ERROR_CORE", "error_description": "Unable to set event handler: Handler already binded"}
    by_method(server, event_get=[], batch={"result": [], "result_error": {"X": told}})
    assert await bind_events(portal, TOKEN, HANDLER, ["X"]) == ["X"]
    by_method(server, event_get=[], batch={"result_error": {"X": {"error": "ERROR_EVENT_NOT_FOUND"}}})
    with pytest.raises(BitrixError, match="error_event_not_found"):
        await bind_events(portal, TOKEN, HANDLER, ["X"])


def answer_placements(
    server: Any, bound: object, offered: Iterable[str] = (), *, told: object = True, error: object = None
) -> None:
    """Let a portal have bound and offer these placements, and answer each `placement.bind` so."""

    def batch(request: Any) -> dict[str, Any]:
        commands = request.json["cmd"]
        if "bound" in commands:
            return {"result": {"result": {"bound": bound, "offered": list(offered)}, "result_error": []}}
        errors = dict.fromkeys(commands, error) if error else []
        return {"result": {"result": dict.fromkeys(commands, told), "result_error": errors}}

    by_method(server, batch=batch)


async def test_a_placement_is_bound_once_with_all_its_titles(portal: PortalClient, server: Any) -> None:
    titles = {"en": "Callbook", "ru": "Журнал"}
    answer_placements(server, [])
    assert await bind_placements(portal, TOKEN, HANDLER, titles, ["TELEPHONY_ANALYTICS_MENU"]) == []
    method, _, query = server.requests[-1].json["cmd"]["TELEPHONY_ANALYTICS_MENU"].partition("?")
    assert method == "placement.bind"
    assert parse_qs(query) == {
        "PLACEMENT": ["TELEPHONY_ANALYTICS_MENU"],
        "HANDLER": [HANDLER],
        "TITLE": ["Callbook"],
        "LANG_ALL[en][TITLE]": ["Callbook"],
        "LANG_ALL[ru][TITLE]": ["Журнал"],
    }
    asked = len(server.requests)
    answer_placements(server, [{"placement": "TELEPHONY_ANALYTICS_MENU", "handler": HANDLER}])
    assert await bind_placements(portal, TOKEN, HANDLER, titles, ["TELEPHONY_ANALYTICS_MENU"]) == []
    assert len(server.requests) == asked + 1


async def test_what_is_optional_is_bound_where_it_is_offered_and_in_one_request(
    portal: PortalClient, server: Any
) -> None:
    answer_placements(server, [{"placement": "A", "handler": "https://old.example/"}], ["A", "B"])
    assert await bind_placements(portal, TOKEN, HANDLER, {"en": "x"}, optional=["A", "B", "C"]) == ["C"]
    new, stale = (request.json["cmd"] for request in server.requests[-2:])
    assert list(new) == ["A", "B"]
    assert list(stale.values()) == ["placement.unbind?PLACEMENT=A&HANDLER=https%3A%2F%2Fold.example%2F"]


async def test_what_a_portal_offers_is_asked_only_for_what_is_optional(
    portal: PortalClient, server: Any
) -> None:
    answer_placements(server, [])
    await bind_placements(portal, TOKEN, HANDLER, {"en": "x"}, ["P"])
    assert [list(request.json["cmd"]) for request in server.requests] == [["bound"], ["P"]]


async def test_errors_of_a_placement_may_come_with_200(portal: PortalClient, server: Any) -> None:
    already = {"error": "ERROR_CORE", "error_description": "Unable to set placement handler: already binded"}
    answer_placements(server, [], error=already)
    assert await bind_placements(portal, TOKEN, HANDLER, {"en": "x"}, ["P"]) == []
    answer_placements(server, [], error={"error": "ERROR_ARGUMENT"})
    with pytest.raises(BitrixError, match="error_argument"):
        await bind_placements(portal, TOKEN, HANDLER, {"en": "x"}, ["P"])
    answer_placements(server, [], told=False)
    with pytest.raises(BitrixError, match="placement_not_bound"):
        await bind_placements(portal, TOKEN, HANDLER, {"en": "x"}, ["P"])


async def test_users_are_read_page_by_page_in_batches(portal: PortalClient, server: Any) -> None:
    def row(number: int) -> dict[str, object]:
        return {"ID": str(number), "ACTIVE": number != 2, "NAME": "U", "LAST_NAME": str(number)}

    def batch(request: Any) -> dict[str, Any]:
        starts = [int(name.removeprefix("from")) for name in request.json["cmd"]]
        pages = {f"from{start}": [row(n) for n in range(start + 1, start + 51)] for start in starts}
        return {"result": {"result": pages, "result_error": []}}

    first = {"result": [row(n) for n in range(1, 51)], "total": 2600, "next": 50}
    by_method(server, user_get=lambda _: first, batch=batch)
    users = await read_users(portal, TOKEN)
    assert len(users) == 2600
    assert users[1] == User(2, "U 2", is_active=False)
    assert len(server.requests) == 3


async def test_a_portal_s_word_on_how_many_users_it_has_is_not_believed(
    portal: PortalClient, server: Any
) -> None:
    first = {"result": [{"ID": "1", "NAME": "x" * 1000}] * 60, "total": 10**17, "next": 50}
    by_method(server, user_get=lambda _: first, batch={"result": []})
    assert await read_users(portal, TOKEN) == [User(1, "x" * LONGEST_NAME, is_active=True)]
    assert len(server.requests) == 2


async def test_no_more_is_held_of_a_list_of_users_than_is_kept(portal: PortalClient, server: Any) -> None:
    """Each user has 101 departments beside a name of emoji; 50,000 such users took 670 MiB."""

    def row(number: int) -> dict[str, object]:
        departments = [number * 1_000 + one for one in range(200)]
        return {"ID": str(number), "NAME": "😀" * 300, "UF_DEPARTMENT": departments}

    def batch(request: Any) -> dict[str, Any]:
        starts = [int(name.removeprefix("from")) for name in request.json["cmd"]]
        return {"result": {"result": {f"from{one}": [row(one + n) for n in range(10)] for one in starts}}}

    by_method(server, user_get=lambda _: {"result": [row(0)], "total": 10**17, "next": 50}, batch=batch)
    users = await list_users(portal, TOKEN, most_users=600, most_memberships=1_000)
    assert len(users) == 600
    assert sum(len(user.department_ids) for user in users) == 1_001  # One more, to show that there are more.
    assert len(users[0].department_ids) == MOST_DEPARTMENTS_OF_USER + 1
    assert {len(user.name) for user in users} == {LONGEST_NAME}
    assert len(server.requests) == 3


async def test_a_portal_that_never_ends_its_users_is_not_read_for_ever(
    portal: PortalClient, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.bitrix24.rest.whole_lists.MAX_ROWS", 5_000)
    first = {"result": [{"ID": "1"}], "total": 10**17, "next": 50}
    by_method(server, user_get=lambda _: first, batch={"result": {"from50": [{"ID": "2"}]}})
    assert len(await read_users(portal, TOKEN)) == 2
    assert len(server.requests) == 3


async def test_a_page_that_fails_fails_the_list(portal: PortalClient, server: Any) -> None:
    first = {"result": [{"ID": "1"}, "odd", {"NAME": "no id"}], "total": 60, "next": 50}
    failed = {"result_error": {"from50": {"error": "ACCESS_DENIED"}}}
    by_method(server, user_get=lambda _: first, batch=failed)
    with pytest.raises(BitrixError, match="access_denied"):
        await read_users(portal, TOKEN)
    by_method(server, user_get=[{"ID": "1"}, "odd", {"NAME": "no id"}])
    assert await read_users(portal, TOKEN) == [User(1, "", is_active=True)]


async def test_a_card_costs_two_requests_with_any_number_of_activities_that_its_portal_tells(
    portal: PortalClient, server: Any
) -> None:
    found = {"card": {"ID": "1"}, "activities": [], "from50": [{"ID": "7"}], "from450": [{"ID": "8"}]}
    batch = {"result": found, "result_next": {"activities": 50}, "result_total": {"activities": 10**17}}
    by_method(server, batch=batch)
    assert await list_call_activities(portal, TOKEN, CARDS["CRM_DEAL_DETAIL_TAB"], 1) == [7, 8]
    assert len(server.requests) == 2
    assert len(server.requests[-1].json["cmd"]) == 9  # For five hundred users in all.
