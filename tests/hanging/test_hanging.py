"""A test that hangs fails by its own name and shows where it waits; the other tests go on."""

import os
import subprocess
import sys
from pathlib import Path

ON_PURPOSE = Path(__file__).with_name("on_purpose.py")
ROOT = Path(__file__).parents[2]


def test_a_test_that_hangs_is_named_and_the_others_go_on() -> None:
    options = ("--numprocesses=1", "--override-ini=timeout=1", "-p", "no:cacheprovider")
    command = (sys.executable, "-m", "pytest", *options, str(ON_PURPOSE))
    run = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60
    )
    assert "2 failed, 1 passed" in run.stdout, run.stdout
    for name in ("test_waits_for_an_event_that_nobody_sets", "test_sleeps"):
        assert f"FAILED tests/hanging/on_purpose.py::{name}" in run.stdout
    assert run.stdout.count("from pytest-timeout") >= 2
    assert "await never.wait()" in run.stdout
    assert "crashed" not in run.stdout
