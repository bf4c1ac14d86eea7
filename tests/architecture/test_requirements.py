"""A server installs `runtime.lock`: all that the application uses, and nothing that only tests need."""

import re
from collections.abc import Iterator

from tests.architecture.sources import ROOT, list_imports, read_app

NOT_IMPORTED = {
    "uvloop": "uvicorn's loop, named in app/commands/processes.py",
    "tzdata": "zoneinfo's data, where the machine has none",
}


def read_names(file: str) -> Iterator[str]:
    """The packages that a requirements or lock file names, as modules are written."""
    for line in (ROOT / "requirements" / file).read_text("utf-8").splitlines():
        if found := re.match(r"[A-Za-z0-9][\w.-]*", line):
            yield found[0].lower().replace("-", "_")


def test_the_application_imports_what_a_server_installs() -> None:
    """The imports of the stand-in and the tests do not count."""
    sources = [source for source in read_app() if not source.module.startswith("app.demo")]
    used = {imported.target.partition(".")[0] for source in sources for imported in list_imports(source)}
    assert set(read_names("runtime.in")) - used == set(NOT_IMPORTED)


def test_no_tool_of_the_tests_is_locked_for_a_server() -> None:
    assert set(read_names("dev.in")) & set(read_names("runtime.lock")) == set()
    assert set(read_names("node.in")) & set(read_names("runtime.lock")) == set()
