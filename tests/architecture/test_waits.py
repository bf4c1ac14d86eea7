"""No test depends on how fast the machine is: none sleeps, and none sets itself a short limit."""

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.architecture.sources import ROOT, Source, parse

# Modules that pause, each for its reason.
PAUSES = {
    "tests.patience": "it is the one place that looks again and again",
    "tests.hanging.on_purpose": "it hangs, so that the bound on every test is seen to hold",
    "tests.long.honest": "it paces its own load for minutes",
    "tests.long.hostile": "it lets the hostile portals begin before it measures",
    "tests.long.hostile_portals": "it paces its own load for minutes",
}
SLEEPS = frozenset({"asyncio.sleep", "time.sleep"})
LIMITS = frozenset({"asyncio.timeout", "asyncio.wait_for"})
TIMERS = frozenset({"call_at", "call_later", "wait_for_timeout"})


def read_tests() -> Iterator[Source]:
    """Every module under `tests/` but the benchmarks and the pictures, which no test run takes."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not module.startswith(("tests.bench", "tests.pictures")):
            yield parse(module, path.read_text("utf-8"))


def find_waits(sources: Iterable[Source]) -> Iterator[str]:
    """Each pause, timer, limit of its own and look in a loop, with its place."""
    for source in sources:
        if source.module in PAUSES:
            continue
        for node in ast.walk(source.tree):
            if fault := judge(source, node):
                yield f"{source.module}:{getattr(node, 'lineno', 0)} {fault}"


def judge(source: Source, node: ast.AST) -> str | None:
    """The fault of a node, as a sentence, or None."""
    if isinstance(node, ast.While) and all(is_idle(source, one) for one in node.body):
        return "looks in a loop: await an event, or tests.patience.wait_until"
    if not isinstance(node, ast.Call):
        return None
    name = source.dotted(node.func)
    if name in SLEEPS and not is_turn(node):
        return "sleeps: await an event, or tests.patience.wait_until"
    if name in LIMITS and not is_patient(node):
        return "sets a limit of its own: the patience of all is PATIENCE_S"
    if isinstance(node.func, ast.Attribute) and node.func.attr in TIMERS:
        return "sets a timer: let an event begin it"
    return None


def is_turn(call: ast.Call) -> bool:
    """`sleep(0)` only lets other tasks have their turn."""
    return [ast.unparse(argument) for argument in call.args] == ["0"]


def is_patient(call: ast.Call) -> bool:
    return bool(call.args) and ast.unparse(call.args[-1]) == "PATIENCE_S"


def is_idle(source: Source, statement: ast.stmt) -> bool:
    """A statement of a loop that does nothing but sleep."""
    awaited = statement.value if isinstance(statement, ast.Expr) else None
    call = awaited.value if isinstance(awaited, ast.Await) else None
    return isinstance(call, ast.Call) and source.dotted(call.func) in SLEEPS


def test_no_test_sleeps_or_limits_itself() -> None:
    assert list(find_waits(read_tests())) == []


def test_every_module_that_pauses_is_there() -> None:
    assert set(PAUSES) <= {source.module for source in read_tests()}


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasync def test():\n    await asyncio.sleep(0.1)",
        "from time import sleep\ndef test():\n    sleep(1)",
        "async def test(gate):\n    gate.loop.call_later(0.05, gate.release)",
        "import asyncio\nasync def test():\n    async with asyncio.timeout(1):\n        pass",
        "import asyncio\nasync def test(work):\n    await asyncio.wait_for(work, 15)",
        "import asyncio\nasync def test(places):\n    while places.count:\n        await asyncio.sleep(0)",
        "async def test(page):\n    await page.wait_for_timeout(500)",
    ],
)
def test_a_wait_by_the_clock_is_found(text: str) -> None:
    assert len(list(find_waits([parse("tests.web.test_x", text)]))) == 1


def test_a_wait_for_an_event_or_a_turn_is_none() -> None:
    text = (
        "import asyncio\nfrom tests.patience import PATIENCE_S\nasync def test(event):\n"
        "    await event.wait()\n    await asyncio.sleep(0)\n    async with asyncio.timeout(PATIENCE_S):\n"
        "        await event.wait()\n"
    )
    assert list(find_waits([parse("tests.web.test_x", text)])) == []
