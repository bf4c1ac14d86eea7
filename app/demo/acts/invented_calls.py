"""Invented calls, deterministic by seed: all directions and outcomes, only numbers reserved for fiction.

Ranges: US 555-0100 to 0199 (NANPA), London 020 7946 0xxx and mobile 07700 900xxx (Ofcom), Berlin
030 23125 xxx (BNetzA), Stockholm 08-465 004 xx (PTS), France 01 99 00 xx xx (Arcep), Australia
02 5550 xxxx and 1900 654 321 (ACMA). Codes and reasons are those of
api-reference/telephony/voximplant/events/on-voximplant-call-end.md.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.demo.acts.calls import EndingCall, record_call
from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.core.state import PortalState
from app.demo.core.world import Portal

DAY_S = 86400
LINES = ("reg133788", "+442079460000", "+493023125000", "REST_APP:")
RESERVED = (
    ("+1202555{:04}", 100, 199),
    ("+1415555{:04}", 100, 199),
    ("+4420794{:05}", 60000, 60999),
    ("+447700{:06}", 900000, 900999),
    ("+493023125{:03}", 100, 999),
    ("+468465004{:02}", 0, 99),
    ("+331990{:05}", 0, 9999),
    ("+6125550{:04}", 0, 9999),
    ("+6119006543{:02}", 21, 21),
)
OUTCOMES: tuple[tuple[str, str, float, tuple[int, ...]], ...] = (
    ("200", "Success call", 66, (1, 2, 4, 5)),
    ("304", "Skipped call", 16, (1, 2, 4)),
    ("603-S", "Decline self", 5, (1,)),
    ("603", "Declined", 3, (1, 2)),
    ("486", "Busy", 4, (1, 4)),
    ("480", "Temporarily unavailable", 2, (1,)),
    ("404", "Invalid number", 1, (1,)),
    ("484", "Address incomplete", 0.5, (1,)),
    ("503", "Service unavailable", 0.5, (1,)),
    ("402", "Insufficient funds", 0.5, (1,)),
    ("403", "Forbidden", 0.5, (1,)),
    ("423", "Blocked", 0.5, (1,)),
    ("OTHER", "", 0.5, (1, 2)),
)
TYPE_WEIGHTS = {1: 46, 2: 44, 4: 6, 5: 4}


@dataclass
class Contact:
    """A person outside the company, with many calls in both directions."""

    phone_number: str
    crm_entity_type: str | None = None
    crm_entity_id: int | None = None


class Caller:
    """Invents one call after another for a portal; the same seed makes the same calls."""

    def __init__(self, portal: PortalState, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._operators = [user.id for user in portal.users.values() if user.is_active and not user.is_system]
        self._contacts = [self._invent_contact(index) for index in range(60)]
        self._activity_id = 7000

    def next_call(self, started_at: int | None = None) -> EndingCall:
        """The next call; it ends now unless its start is given."""
        call_type = self._random.choices(list(TYPE_WEIGHTS), list(TYPE_WEIGHTS.values()))[0]
        code, reason = self._choose_outcome(call_type)
        contact = self._random.choice(self._contacts)
        duration_s = self._choose_duration_s() if code == "200" else 0
        self._activity_id += 1
        return EndingCall(
            call_type=call_type,
            phone_number=self._choose_number(call_type, contact),
            portal_number=self._random.choice(LINES),
            user_id=None if call_type == 5 else self._random.choice(self._operators),  # noqa: PLR2004 - Informational calls have no user.
            duration_s=duration_s,
            started_at=started_at,
            code=code,
            reason=reason,
            cost=f"{duration_s / 60 * 0.021:.4f}" if call_type != 2 else "0.0000",  # noqa: PLR2004 - Incoming calls are free.
            currency="EUR",
            crm_entity_type=contact.crm_entity_type,
            crm_entity_id=contact.crm_entity_id,
            crm_activity_id=self._activity_id if contact.crm_entity_id else None,
            redirected_from=self._choose_redirects(call_type),
        )

    def _choose_outcome(self, call_type: int) -> tuple[str, str]:
        possible = [outcome for outcome in OUTCOMES if call_type in outcome[3]]
        code, reason, _, _ = self._random.choices(possible, [outcome[2] for outcome in possible])[0]
        return code, reason

    def _choose_duration_s(self) -> int:
        return max(3, min(3600, round(self._random.lognormvariate(4.6, 0.9))))

    def _choose_number(self, call_type: int, contact: Contact) -> str:
        chance = self._random.random()
        if call_type == 2 and chance < 0.06:  # noqa: PLR2004 - Some incoming callers hide their number.
            return "hidden"
        if chance < 0.1:  # noqa: PLR2004 - Colleagues call each other's short numbers.
            return str(self._random.randint(101, 139))
        return contact.phone_number

    def _choose_redirects(self, call_type: int) -> tuple[int, ...]:
        if call_type != 2 or self._random.random() > 0.15:  # noqa: PLR2004 - Every seventh call is redirected.
            return ()
        return tuple(self._random.sample(self._operators, k=self._random.choice((1, 1, 2))))

    def _invent_contact(self, index: int) -> Contact:
        pattern, first, last = self._random.choice(RESERVED)
        number = pattern.format(self._random.randint(first, last))
        known = self._random.random() < 0.6  # noqa: PLR2004 - Most are in the CRM.
        kind = self._random.choice(("CONTACT", "COMPANY", "LEAD"))
        return Contact(number, kind, 200 + index) if known else Contact(number)


def lay_history(portal: Portal, caller: Caller, days: int, calls_a_day: int = 60) -> int:
    """Write the statistics of the last days, without events; returns how many calls. Business hours
    are busier.
    """
    now = portal.stand_in.clock.now()
    chance = random.Random(days)
    starts: list[int] = []
    for day in range(days, 0, -1):
        midnight = (now - day * DAY_S) // DAY_S * DAY_S
        weekend = datetime.fromtimestamp(midnight, UTC).weekday() >= 5  # noqa: PLR2004 - Saturday is 5.
        count = calls_a_day // 6 if weekend else calls_a_day
        starts += [midnight + round(3600 * chance.triangular(6, 20, 10.5)) for _ in range(count)]
    for started_at in sorted(start for start in starts if start < now - 3600):
        record_call(portal, caller.next_call(started_at), {})
    return len(starts)


async def keep_calling(portals: Sequence[StandInPortal], caller: Caller, pace_s: float) -> None:
    """End a call about every `pace_s` seconds until cancelled; prints the status of each answer by which the
    app refuses a call.
    """
    chance = random.Random(1)
    while True:
        await asyncio.sleep(pace_s * chance.uniform(0.67, 1.33))
        portal = chance.choice(portals)
        ended = await portal.end_call(caller.next_call())
        for response in ended.responses:
            if response.is_error:
                print(f"a call event was answered {response.status_code}")
