"""The places where the tasks of a test wait, for the report of a test that was ended because it hung."""

import asyncio
import io

import pytest

OUR_OWN_RUNNER = "_function_scoped_runner"  # The fixture in which pytest-asyncio keeps a test's loop.


def describe_waits(loop: asyncio.AbstractEventLoop) -> str:
    """The stack of every task that has not ended, each from the outermost function to its `await`."""
    text = io.StringIO()
    for task in asyncio.all_tasks(loop):
        task.print_stack(file=text)
    return text.getvalue()


def add_waits(item: pytest.Item, report: pytest.TestReport) -> None:
    """Append the waits of a test's loop to the report; nothing if the test has no loop."""
    runner = getattr(item, "funcargs", {}).get(OUR_OWN_RUNNER)
    if isinstance(runner, asyncio.Runner):
        report.sections.append(("Where its tasks wait", describe_waits(runner.get_loop())))
