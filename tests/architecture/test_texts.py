"""Texts that no file of the repository holds: a package registry's host, and a note of work left undone."""

import re
from collections.abc import Iterator, Mapping

import pytest

from tests.architecture.sources import list_tracked_texts

# In pieces, because this file is read too.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("deb", "debian", "org"),
        ("unpkg", "com"),
        ("jsdelivr", "net"),
    )
]
HOST = re.compile("|".join(map(re.escape, HOSTS)), re.IGNORECASE)
UNDONE = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
LOCK_FILE = re.compile(r"(^requirements/.*\.(lock|in)|^package-lock\.json|^\.npmrc)$")
ADDRESS = re.compile(r'://|"resolved"|--(extra-)?index-url|--find-links|^registry\s*=', re.MULTILINE)


def find_hosts(texts: Mapping[str, str]) -> Iterator[str]:
    """Each file that names a registry's host, and each lock file that holds any address at all."""
    for name, text in texts.items():
        if HOST.search(text) or (LOCK_FILE.search(name) and ADDRESS.search(text)):
            yield name


def find_undone(texts: Mapping[str, str]) -> Iterator[str]:
    """Each line that is marked as left undone."""
    for name, text in texts.items():
        yield from (
            f"{name}:{number}" for number, line in enumerate(text.splitlines(), 1) if UNDONE.search(line)
        )


def test_no_file_names_a_registry() -> None:
    assert list(find_hosts(list_tracked_texts())) == []


def test_nothing_is_marked_as_left_undone() -> None:
    assert list(find_undone(list_tracked_texts())) == []


@pytest.mark.parametrize("host", HOSTS)
def test_a_registry_is_found(host: str) -> None:
    assert list(find_hosts({"README.md": f"See https://files.{host}/simple."})) == ["README.md"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("requirements/runtime.lock", "--index-url elsewhere"),
        ("requirements/dev.in", "six @ https://example.invalid/six.whl"),
        ("package-lock.json", '"resolved": "somewhere"'),
        (".npmrc", "registry = somewhere"),
    ],
)
def test_an_address_in_a_lock_file_is_found(name: str, line: str) -> None:
    assert list(find_hosts({name: f"first\n{line}\n"})) == [name]
    assert list(find_hosts({"README.md": line})) == []


def test_an_undone_mark_is_found() -> None:
    assert list(find_undone({"app/x.py": "a = 1\n# TO" + "DO later"})) == ["app/x.py:2"]
    assert list(find_undone({"app/x.py": "todos and méTODOs are words"})) == []
