"""The limit of open files is raised if the system allows it, and the process starts in any case."""

import sys

import pytest
from structlog.testing import capture_logs

from app.kit import file_limit

if sys.platform != "win32":
    import resource


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of files there")
@pytest.mark.parametrize("error", [ValueError("current limit exceeds maximum limit"), OSError(22, "invalid")])
def test_a_system_that_refuses_its_own_unlimited_keeps_its_limit_and_says_so(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(resource, "getrlimit", lambda _: (2048, -1))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    with capture_logs() as logs:
        file_limit.raise_file_limit()
    assert [(entry["log_level"], entry["wanted"]) for entry in logs] == [("warning", file_limit.MOST_FILES)]
    assert file_limit.count_places() == 2048 - file_limit.RESERVED
