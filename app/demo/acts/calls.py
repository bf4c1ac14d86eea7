"""Calls that end, and the rows that they leave in the statistics."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx

from app.demo.core.staff import OPERATOR_ID
from app.demo.core.statistics import StatisticsRow
from app.demo.core.world import Portal

INCOMING = 2
REDIRECTED = 3
REDIRECT_AFTER_S = 15
GAP_EVERY = 17


@dataclass(frozen=True, kw_only=True)
class EndingCall:
    """A call at its end. `started_at` is Unix seconds (default: the call ends now), `cost` decimal text.

    `redirected_from` names users whose phones rang before. Each gets a missed leg of its own under the same
    CALL_ID. The last leg of an incoming call then has CALL_TYPE 3. The statistics show the call after
    `visible_after_s`.
    """

    call_type: int = 2
    phone_number: str = "+12025550143"
    portal_number: str = "reg133788"
    user_id: int | None = OPERATOR_ID
    duration_s: int = 62
    started_at: int | None = None
    call_id: str | None = None
    code: str = "200"
    reason: str = "Success call"
    cost: str = "0.0000"
    currency: str = "EUR"
    crm_entity_type: str | None = None
    crm_entity_id: int | None = None
    crm_activity_id: int | None = None
    redirected_from: tuple[int, ...] = ()
    visible_after_s: int = 0


@dataclass(frozen=True)
class EndedCall:
    """The rows that a call left, and the app's answers to its events."""

    rows: list[StatisticsRow]
    responses: list[httpx.Response]

    @property
    def call_id(self) -> str:
        """CALL_ID, the same in every leg."""
        return self.rows[-1].call_id

    @property
    def response(self) -> httpx.Response:
        """The answer to the last event; IndexError when none was sent."""
        return self.responses[-1]


def record_call(portal: Portal, call: EndingCall, fields: Mapping[str, Any]) -> list[StatisticsRow]:
    """Append the legs of a call to the portal's statistics; returns their rows."""
    call = replace(call, **fields)
    started_at = call.started_at
    if started_at is None:
        started_at = portal.stand_in.clock.now() - call.duration_s
    call_id = call.call_id or f"externalCall.{secrets.token_hex(16)}.{started_at}"
    legs = [
        replace(
            call,
            user_id=user_id,
            duration_s=0,
            code="304",
            reason="Call is not answered",
            cost="0.0000",
            started_at=started_at + index * REDIRECT_AFTER_S,
        )
        for index, user_id in enumerate(call.redirected_from)
    ]
    is_redirected = bool(legs) and call.call_type == INCOMING
    last_at = started_at + len(legs) * REDIRECT_AFTER_S
    legs.append(replace(call, call_type=REDIRECTED if is_redirected else call.call_type, started_at=last_at))
    return [_append_row(portal, leg, call_id) for leg in legs]


def _append_row(portal: Portal, leg: EndingCall, call_id: str) -> StatisticsRow:
    row = StatisticsRow(
        id=next_statistics_id(portal.state.statistics),
        call_id=call_id,
        call_type=leg.call_type,
        phone_number=leg.phone_number,
        portal_number=leg.portal_number,
        user_id=leg.user_id,
        started_at=leg.started_at or 0,
        duration_s=leg.duration_s,
        cost=leg.cost,
        currency=leg.currency,
        code=leg.code,
        reason=leg.reason,
        crm_entity_type=leg.crm_entity_type,
        crm_entity_id=leg.crm_entity_id,
        crm_activity_id=leg.crm_activity_id,
        visible_at=portal.stand_in.clock.now() + leg.visible_after_s if leg.visible_after_s else 0,
    )
    portal.state.statistics.append(row)
    return row


def next_statistics_id(rows: list[StatisticsRow]) -> int:
    """The id of the next row. Ids are nearly gapless (docs/bitrix24.md): every seventeenth is left out."""
    following = rows[-1].id + 1 if rows else 1
    return following + 1 if following % GAP_EVERY == 0 else following
