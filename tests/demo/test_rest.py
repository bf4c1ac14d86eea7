"""The portal's REST: entrance, profile, bindings, people, batch, rate."""

from typing import Any

import pytest

from app.demo.core.bucket import Bucket


async def test_profile_and_app_info(bitrix: Any) -> None:
    pair = bitrix.portal.issue_pair(bitrix.portal.operator)
    answer = (await bitrix.call("profile.json", token=pair.access_token)).json()
    assert answer["result"]["ID"] == "12"
    assert answer["result"]["ADMIN"] is False
    assert answer["time"]["operating"] > 0
    assert "operating_reset_at" in answer["time"]
    assert (await bitrix.call("app.info")).json()["result"]["INSTALLED"] is False


async def test_a_form_body_is_taken_too(bitrix: Any) -> None:
    token = bitrix.portal.issue_pair().access_token
    url = f"{bitrix.portal.client_endpoint}user.get"
    answer = await bitrix.http.post(url, data={"auth": token, "FILTER[>ID]": "14", "ACTIVE": "Y"})
    assert [user["ID"] for user in answer.json()["result"]] == ["18", "21"]


async def test_tokens_that_are_not_good(bitrix: Any) -> None:
    first, second = bitrix.stand_in.portals
    none = await bitrix.http.post(f"{first.client_endpoint}profile")
    assert (none.status_code, none.json()["error"]) == (401, "NO_AUTH_FOUND")
    foreign = await bitrix.call("profile", token=second.issue_pair().access_token)
    assert (foreign.status_code, foreign.json()["error"]) == (401, "invalid_token")
    pair = first.issue_pair()
    first.expire_access_tokens()
    expired = await bitrix.call("profile", token=pair.access_token)
    assert (expired.status_code, expired.json()["error"]) == (401, "expired_token")
    first.operator.is_app_allowed = False
    barred = await bitrix.call("profile", token=first.issue_pair(first.operator).access_token)
    assert (barred.status_code, barred.json()["error"]) == (403, "user_access_error")


async def test_scopes_and_unknown_methods(bitrix: Any) -> None:
    bitrix.portal.installation.scope.remove("department")
    refused = await bitrix.call("department.get")
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    bitrix.portal.installation.scope.append("department")
    assert (await bitrix.call("department.get")).json()["total"] == 3
    assert (await bitrix.call("crm.deal.list")).json()["error"] == "ERROR_METHOD_NOT_FOUND"


async def test_events_are_bound_once_and_listed(bitrix: Any) -> None:
    wanted = {"event": "OnVoximplantCallEnd", "handler": "http://127.0.0.1:1/events"}
    assert (await bitrix.call("event.bind", wanted)).json()["result"] is True
    assert (await bitrix.call("event.bind", wanted)).status_code == 400
    assert (await bitrix.call("event.get")).json()["result"] == [
        {"event": "ONVOXIMPLANTCALLEND", "handler": wanted["handler"], "auth_type": "0", "offline": 0}
    ]
    plain = bitrix.portal.issue_pair(bitrix.portal.operator).access_token
    assert (await bitrix.call("event.get", token=plain)).json()["result"] == []
    assert (await bitrix.call("event.bind", {**wanted, "auth_type": 1}, plain)).status_code == 403
    assert (await bitrix.call("event.unbind", wanted)).json()["result"] == {"count": 1}
    nothing = await bitrix.call("event.bind", {"event": "ONNOTHING", "handler": "http://x"})
    assert nothing.json()["error"] == "ERROR_EVENT_NOT_FOUND"


async def test_placements(bitrix: Any) -> None:
    wanted = {
        "PLACEMENT": "TELEPHONY_ANALYTICS_MENU",
        "HANDLER": "http://127.0.0.1:1/",
        "LANG_ALL": {"en": {"TITLE": "Callbook"}},
    }
    plain = bitrix.portal.issue_pair(bitrix.portal.operator).access_token
    assert (await bitrix.call("placement.bind", wanted, plain)).json()["error"] == "ACCESS_DENIED"
    missing = await bitrix.call("placement.bind", {"HANDLER": "http://x"})
    assert (missing.status_code, missing.json()["argument"]) == (200, "PLACEMENT")
    assert (await bitrix.call("placement.bind", wanted)).json()["result"] is True
    assert "already binded" in (await bitrix.call("placement.bind", wanted)).json()["error_description"]
    assert (await bitrix.call("placement.get")).json()["result"][0]["langAll"]["en"]["TITLE"] == "Callbook"
    assert "TELEPHONY_ANALYTICS_MENU" in (await bitrix.call("placement.list")).json()["result"]
    assert bitrix.portal.bound_placement("TELEPHONY_ANALYTICS_MENU") is None
    bitrix.portal.installation.is_finished = True
    assert bitrix.portal.bound_placement("TELEPHONY_ANALYTICS_MENU").title_for("en") == "Callbook"
    assert (await bitrix.call("placement.unbind", wanted)).json()["result"] == {"count": 2}


async def test_a_system_user_is_never_listed(bitrix: Any) -> None:
    listed = (await bitrix.call("user.get")).json()
    assert "2" not in [user["ID"] for user in listed["result"]]
    assert listed["total"] == len(listed["result"]) == 6


async def test_a_batch_answers_200_with_any_outcome_of_its_commands(bitrix: Any) -> None:
    commands = {"first": "user.get", "bad": "nope", "last": "profile"}
    whole = await bitrix.call("batch", {"cmd": commands})
    parts = whole.json()["result"]
    assert whole.status_code == 200
    assert set(parts["result"]) == {"first", "last"}
    assert parts["result_error"]["bad"]["error"] == "ERROR_METHOD_NOT_FOUND"
    assert parts["result_total"] == {"first": 6}
    assert parts["result_next"] == []
    halted = (await bitrix.call("batch", {"cmd": commands, "halt": 1})).json()["result"]
    assert set(halted["result"]) == {"first"}
    empty = (await bitrix.call("batch", {"cmd": {}})).json()["result"]
    assert [empty[key] for key in ("result", "result_error", "result_total")] == [[], [], []]


async def test_batch_limits(bitrix: Any) -> None:
    many = await bitrix.call("batch", {"cmd": {f"c{index}": "profile" for index in range(51)}})
    assert (many.status_code, many.json()["error"]) == (400, "ERROR_BATCH_LENGTH_EXCEEDED")
    nested = (await bitrix.call("batch", {"cmd": {"inner": "batch"}})).json()["result"]
    assert nested["result_error"]["inner"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"


async def test_results_feed_the_next_command_and_an_unresolved_path_is_a_trap(bitrix: Any) -> None:
    portal = bitrix.portal
    for _ in range(3):
        await portal.end_call(lose=True)
    first = portal.state.statistics[0].id
    get = "voximplant.statistic.get?SORT=ID&ORDER=ASC&FILTER[>ID]="
    good = {"a": f"{get}{first}", "b": f"{get}$result[a][0][ID]"}
    answer = (await bitrix.call("batch", {"cmd": good})).json()["result"]["result"]
    assert [row["ID"] for row in answer["b"]] == [row["ID"] for row in answer["a"][1:]]
    trap = {"a": f"{get}999", "b": f"{get}$result[a][49][ID]"}
    answer = (await bitrix.call("batch", {"cmd": trap})).json()["result"]["result"]
    assert answer["a"] == []
    assert answer["b"][0]["ID"] == str(first)


async def test_a_command_of_a_batch_can_be_made_to_fail(bitrix: Any) -> None:
    bitrix.stand_in.fail("event.bind", code="INTERNAL_SERVER_ERROR", status=500, times=1)
    command = "event.bind?event=ONAPPUPDATE&handler=http%3A%2F%2Fx"
    parts = (await bitrix.call("batch", {"cmd": [command, command]})).json()["result"]
    assert parts["result_error"]["0"] if isinstance(parts["result_error"], dict) else parts["result_error"][0]
    assert bitrix.portal.counts["event.bind"] == 2


async def test_the_bucket_blocks_above_its_limit_and_drains(bitrix: Any) -> None:
    now = 0.0
    bitrix.portal.bucket = Bucket(lambda: now, limit=3)
    token = bitrix.portal.issue_pair().access_token
    answers = [await bitrix.call("profile", token=token) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 503]
    assert answers[-1].json()["error"] == "QUERY_LIMIT_EXCEEDED"
    now = 0.5
    assert (await bitrix.call("profile", token=token)).status_code == 200


async def test_operating_time_runs_out_and_comes_back(bitrix: Any, clock: Any) -> None:
    key = f"{bitrix.stand_in.client_id} profile"
    bitrix.portal.operating.spend(key, 480)
    blocked = await bitrix.call("profile")
    assert (blocked.status_code, blocked.json()["error"]) == (429, "OPERATION_TIME_LIMIT")
    clock.advance(600)
    assert (await bitrix.call("profile")).status_code == 200


@pytest.mark.parametrize("leaves_redirect", [True, False])
async def test_a_portal_that_moves(bitrix: Any, *, leaves_redirect: bool) -> None:
    old, member_id = bitrix.portal.client_endpoint, bitrix.portal.member_id
    await bitrix.portal.move(leaves_redirect=leaves_redirect)
    assert bitrix.portal.client_endpoint != old
    if leaves_redirect:
        answer = await bitrix.http.post(f"{old}profile?a=1")
        assert (answer.status_code, answer.headers["location"]) == (
            302,
            f"{bitrix.portal.client_endpoint}profile?a=1",
        )
    info = await bitrix.app_info(bitrix.portal.issue_pair().access_token)
    assert info.json()["result"]["install"]["client_endpoint"] == bitrix.portal.client_endpoint
    assert bitrix.portal.member_id == member_id
