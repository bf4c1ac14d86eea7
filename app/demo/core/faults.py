"""Faults on demand, by operation and portal: refusals, broken networks, answers that are held back.

Operations: `oauth.refresh` and `app.info` (authorization server), every REST method by its own name
(`profile`, `event.bind`, `batch`, also when it runs inside a batch; the portal's own `app.info` is
`portal.app.info`), and `rest` for any REST request.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Answered = TypeVar("Answered")
Network = Literal["drop", "drop_after", "half", "503", "504", "html", "timeout"]
AFTER = frozenset({"drop_after", "half"})  # The work is done, but the answer is lost, or half of it.


class Refusal(Exception):
    """An error answer: `{"error": code, "error_description": description}` with an HTTP status."""

    def __init__(self, code: str, status: int, description: str = "", **extra: object) -> None:
        super().__init__(code)
        self.code, self.status, self.description, self.extra = code, status, description, extra

    def to_wire(self) -> dict[str, object]:
        """The JSON body of the refusal."""
        return {"error": self.code, "error_description": self.description, **self.extra}


class BrokenNetwork(Exception):
    """The answer is lost, cut off, unreadable or never sent, according to `mode`."""

    def __init__(self, mode: Network) -> None:
        super().__init__(mode)
        self.mode = mode


@dataclass(kw_only=True)
class Rule:
    """It applies to one operation, of one portal or all, `times` times (None: always), and has applied `hits`
    times.
    """

    operation: str
    member_id: str | None = None
    times: int | None = None
    hits: int = 0

    def cancel(self) -> None:
        """Stop applying."""
        self.times = self.hits

    def is_for(self, operation: str, member_id: str | None) -> bool:
        """Whether the rule still applies to this operation of this portal."""
        is_left = self.times is None or self.hits < self.times
        return is_left and operation == self.operation and self.member_id in (None, member_id)


@dataclass(kw_only=True)
class FaultRule(Rule):
    """One `fail(...)`."""

    code: str | None = None
    status: int = 400
    description: str = ""
    network: Network | None = None


@dataclass(kw_only=True)
class Lie(Rule):
    """A false answer, which `change` makes from the true answer and the call; `cancel` lets the truth be told
    again.

    For a REST method, `change` gets a RestAnswer and a RestCall; else the body of the answer and None.
    """

    change: Callable[[Any, Any], Any]


@dataclass(kw_only=True)
class Gate:
    """Holds requests or answers of an operation: a test awaits `reached()`, looks around, then calls
    `release()`.

    `when="after"` holds the finished answer (a token has been rotated), `"before"` holds the request.
    """

    operation: str
    when: Literal["before", "after"]
    member_id: str | None
    times: int | None
    arrivals: int = 0
    _is_open: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def reached(self, count: int = 1) -> None:
        """Return once `count` requests have arrived at the gate."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.arrivals >= count)

    def release(self) -> None:
        """Open the gate for good."""
        self._is_open.set()

    def is_for(self, operation: str, when: str, member_id: str | None) -> bool:
        """Whether a request of this operation and portal has to wait here."""
        is_left = self.times is None or self.arrivals < self.times
        is_same = operation == self.operation and when == self.when
        return is_left and is_same and self.member_id in (None, member_id) and not self._is_open.is_set()

    async def pass_through(self) -> None:
        """Wait at the gate until it is released."""
        async with self._changed:
            self.arrivals += 1
            self._changed.notify_all()
        await self._is_open.wait()


class Faults:
    """All rules, gates and counters of one stand-in."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.counts_by_portal: dict[str, Counter[str]] = {}
        self._rules: list[FaultRule] = []
        self._gates: list[Gate] = []
        self._lies: list[Lie] = []

    def add_lie(self, lie: Lie) -> Lie:
        """Add a lie; several are applied one after another, each to the result of the one before."""
        self._lies.append(lie)
        return lie

    def bend(
        self,
        operation: str,
        member_id: str | None,
        answer: Answered,
        call: object = None,
        own: Sequence[Lie] = (),
    ) -> Answered:
        """The answer after all lies that apply; `own` are those of the portal itself, which come first."""
        for lie in (*own, *self._lies):
            if lie.is_for(operation, member_id):
                lie.hits += 1
                answer = lie.change(answer, call)
        return answer

    def add_rule(self, rule: FaultRule) -> FaultRule:
        """Add a rule; the newest rule that matches wins."""
        self._rules.insert(0, rule)
        return rule

    def add_gate(self, gate: Gate) -> Gate:
        """Add a gate."""
        self._gates.append(gate)
        return gate

    def clear(self) -> None:
        """Remove every rule and lie and open every gate; counters stay."""
        self._rules.clear()
        self._lies.clear()
        for gate in self._gates:
            gate.release()
        self._gates.clear()

    async def enter(self, operation: str, member_id: str | None) -> None:
        """Count a request, wait at its gate, and raise the Refusal or BrokenNetwork of its rule."""
        self.counts[operation] += 1
        self.counts_by_portal.setdefault(member_id or "", Counter())[operation] += 1
        await self._wait(operation, "before", member_id)
        rule = self._match(operation, member_id, is_after=False)
        if rule is not None:
            rule.hits += 1
            if rule.network is not None:
                raise BrokenNetwork(rule.network)
            raise Refusal(rule.code or "INTERNAL_SERVER_ERROR", rule.status, rule.description)

    async def leave(self, operation: str, member_id: str | None) -> None:
        """Hold the finished answer at its gate; raises BrokenNetwork when a rule loses it, or half of it."""
        await self._wait(operation, "after", member_id)
        rule = self._match(operation, member_id, is_after=True)
        if rule is not None:
            rule.hits += 1
            raise BrokenNetwork("half" if rule.network == "half" else "drop")

    async def _wait(self, operation: str, when: str, member_id: str | None) -> None:
        for gate in list(self._gates):
            if gate.is_for(operation, when, member_id):
                await gate.pass_through()

    def _match(self, operation: str, member_id: str | None, *, is_after: bool) -> FaultRule | None:
        for rule in self._rules:
            if rule.is_for(operation, member_id) and (rule.network in AFTER) is is_after:
                return rule
        return None
