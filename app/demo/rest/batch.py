"""`batch`: up to fifty commands in one request, each of which can use the results of earlier ones.

settings/how-to-call-rest-api/batch.md; docs/bitrix24.md tells the trap of a path that does not resolve.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from typing import Any

from app.demo.core.faults import Refusal
from app.demo.core.php import as_php_array, parse_query
from app.demo.rest.rest_call import RestAnswer

MAX_COMMANDS = 50

Execute = Callable[[str, Mapping[str, Any]], Awaitable[RestAnswer]]

_REFERENCE = re.compile(r"\$result((?:\[[^\]]*\])+)$")


async def run_batch(
    parameters: Mapping[str, Any],
    execute: Execute,
    describe_time: Callable[[str], Any],
    most: int | None = None,
) -> object:
    """Run the commands in order through `execute`; returns the answer, which has status 200 even when
    commands fail.

    Commands after the first `most` have neither result nor error, as when the time of a batch is up
    (docs/bitrix24.md). Raises Refusal ERROR_BATCH_LENGTH_EXCEEDED above 50 commands.
    """
    commands = _read_commands(parameters.get("cmd"))
    if len(commands) > MAX_COMMANDS:
        raise Refusal("ERROR_BATCH_LENGTH_EXCEEDED", 400, "Max batch length exceeded")
    is_halting = str(parameters.get("halt", 0)).lower() in ("1", "true", "y")
    results: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {name: {} for name in ("error", "total", "next", "time")}
    for name, command in islice(commands.items(), most):
        method, _, query = command.partition("?")
        try:
            given = {key: _resolve(value, results) for key, value in parse_query(query).items()}
            answer = await execute(method, given)
        except Refusal as refusal:
            parts["error"][name] = refusal.to_wire()
            if is_halting:
                break
            continue
        results[name] = answer.result
        parts["time"][name] = describe_time(method)
        if answer.total is not None:
            parts["total"][name] = answer.total
        if answer.next is not None:
            parts["next"][name] = answer.next
    return {"result": as_php_array(results)} | {
        f"result_{key}": as_php_array(part) for key, part in parts.items()
    }


def _read_commands(given: object) -> dict[str, str]:
    if isinstance(given, list):
        return {str(index): str(command) for index, command in enumerate(given)}
    return {str(name): str(command) for name, command in given.items()} if isinstance(given, dict) else {}


def _resolve(value: object, results: Mapping[str, Any]) -> object:
    """Replace `$result[name][0][ID]` in a parameter value by the value at that path."""
    if isinstance(value, dict):
        return {key: _resolve(item, results) for key, item in value.items()}
    match = _REFERENCE.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    return _walk(results, re.findall(r"\[([^\]]*)\]", match[1]))


def _walk(found: object, path: list[str]) -> object:
    """The value at a path. For a path that ends early it is the last level that was found, which is often a
    surprise.
    """
    for step in path:
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            break
    return found
