"""Every query on a portal's data takes the portal first, so that no caller can forget the portal."""

import ast
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.architecture.sources import ROOT, Source, is_queries, parse, read_app

# A portal's id, the portal itself, Bitrix24's own unique name of it (all that a request brings), or
# the keyed hash of that name (all that is left of a forgotten portal).
NAMES_ONE_PORTAL = {"portal_id", "portal", "member_id", "member_hash"}
# May stand before the portal: the place where the query runs.
NAMES_THE_PLACE = {"self", "database"}
# These tables hold no data of a portal; a query that names only these needs no portal.
TABLES_OF_NO_PORTAL = {"LeaseTable", "FactTable"}
NAMES_OF_NO_PORTAL = {"leases", "facts"}

# Queries that are for all portals on purpose, each with its reason.
FOR_ALL_PORTALS: dict[str, str] = {
    "app.portals.queries.list_portals": "The vendor's command line lists every portal.",
    "app.portals.queries.list_due_for_renewal": "The scheduler renews the tokens of all due portals.",
    "app.portals.states.checkup_queries.list_due": ("The scheduler checks all portals that are due."),
    "app.portals.states.contact_queries.list_due_for_probe": (
        "The scheduler asks all paused portals that are due."
    ),
    "app.portals.states.contact_queries.count_connections": (
        "The vendor's metrics count all portals by state."
    ),
    "app.portals.queries.list_due_for_erasure": "The scheduler erases all portals that are due.",
    "app.portals.outbound.exchange_queries.record_exchange": (
        "An exchange names its portal itself, if it has one."
    ),
    "app.portals.outbound.exchange_queries.purge_exchanges": (
        "The scheduler deletes the oldest exchanges of all portals."
    ),
    "app.portals.outbound.exchange_queries.erase_some_uninstalled_exchanges": (
        "A sweep empties the log of all uninstalled portals."
    ),
    "app.portals.outbound.rate_queries.purge_buckets": "The scheduler deletes all empty buckets.",
    "app.portals.outbound.rate_queries.take_from_buckets": ("One statement counts a portal and its host."),
    "app.portals.outbound.rate_queries.fill_buckets": ("One statement counts a portal and its host."),
    "app.portals.absence.uninstall_queries.list_due_checks": (
        "The scheduler checks all uninstalls that are due."
    ),
    "app.portals.absence.uninstall_queries.list_gone": ("The vendor sees all portals that seem to be gone."),
    "app.portals.absence.uninstall_queries.list_times_gone": (
        "Only the number of all portals that seem gone shows a fault."
    ),
    "app.portals.absence.uninstall_queries.count_installed": (
        "A share of all installed portals is too many."
    ),
    "app.portals.absence.uninstall_queries.accept_gone": "The vendor answers for all portals that seem gone.",
    "app.portals.absence.uninstall_queries.keep_gone": "The vendor answers for all portals that seem gone.",
    "app.portals.absence.silence_queries.date_dead_pairs": ("The scheduler dates all dead pairs."),
    "app.portals.absence.silence_queries.list_silent": ("The scheduler ends all silent portals."),
    "app.portals.absence.tombstone_queries.purge": ("The scheduler deletes all notes whose day is over."),
    "app.portals.pending_queries.list_due": "The scheduler verifies all waiting installations.",
    "app.portals.pending_queries.list_sealed": "A rotation of keys seals all of them again.",
    "app.portals.pending_queries.purge_pending": "The scheduler deletes all that have waited for a day.",
    "app.calls.statistics.progress.mark_queries.list_due_histories": (
        "The scheduler reads all histories that are due."
    ),
    "app.portals.settings.settings_queries.list_limited": (
        "The scheduler purges all portals that limit their log."
    ),
    "app.calls.statistics.progress.forward_queries.list_due_reads": (
        "The scheduler reads all portals that are due."
    ),
    "app.calls.statistics.progress.evidence_queries.want_read_everywhere": (
        "After a downtime every portal may have lost events."
    ),
    "app.calls.statistics.progress.evidence_queries.want_reads": (
        "Notes of many portals are written by one statement."
    ),
    "app.calls.statistics.progress.evidence_queries.want_late_facts": (
        "Notes of many portals are written by one statement."
    ),
    "app.calls.space.usage_queries.add_sizes": "Notes of many portals are written by one statement.",
    "app.calls.space.usage_queries.list_due_counts": "The scheduler counts all portals that are due.",
    "app.calls.space.usage_queries.count_at_quota": "The vendor's metrics count all portals at a quota.",
    "app.portals.outbound.exchange_queries.trim_exchanges": "The scheduler trims all above their quota.",
    "app.portals.absence.uninstall_queries.find_installed": "Announcements at the same time share one look.",
    "app.portals.absence.uninstall_queries.find_noted": "Announcements at the same time share one look.",
    "app.portals.absence.tombstone_queries.find_barred": "Updates that come at the same time share one look.",
    "app.portals.queries.find_portals": "Events that wait at the same time share one look at their portals.",
    "app.portals.queries.list_waiting_for_lookup": "The scheduler serves all portals that wait for a lookup.",
    "app.calls.store.call_queries.load_calls": "Each key names its portal: one batch has events of many.",
    "app.calls.store.call_queries.save_calls": "Each change names its portal: one batch has events of many.",
    "app.calls.store.call_queries.hold_portals": "Each pair names its portal: one batch has events of many.",
    "app.calls.intake.intake_queries.write_last_events": (
        "Notes of many portals are written by one statement."
    ),
    "app.portals.news_queries.beat": "The life of a connection concerns no portal.",
}


def find_queries_without_portal(sources: Iterable[Source], exceptions: Mapping[str, str]) -> Iterator[str]:
    """Each public coroutine of a queries module that neither takes a portal first nor is excepted."""
    for source in sources:
        if not is_queries(source.module):
            continue
        for name, function in _list_public_coroutines(source.tree.body):
            full_name = f"{source.module}.{name}"
            is_fine = _takes_portal_first(function) or _names_no_portal_data(function)
            if not is_fine and full_name not in exceptions:
                yield f"{full_name} (line {function.lineno})"


def _list_public_coroutines(
    body: list[ast.stmt], prefix: str = ""
) -> Iterator[tuple[str, ast.AsyncFunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _list_public_coroutines(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield prefix + node.name, node


def _takes_portal_first(function: ast.AsyncFunctionDef) -> bool:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    while names and names[0] in NAMES_THE_PLACE:
        names.pop(0)
    return bool(names) and names[0] in NAMES_ONE_PORTAL


def _names_no_portal_data(function: ast.AsyncFunctionDef) -> bool:
    """Whether it names only tables that belong to no portal, as a class or in SQL."""
    classes = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and node.id[0].isupper()}
    classes &= _list_table_classes() | TABLES_OF_NO_PORTAL
    statements = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
    words = {word for text in statements if isinstance(text, str) for word in text.lower().split()}
    in_sql = words & _list_table_names() if words & {"select", "insert", "update", "delete"} else set()
    named = classes | in_sql
    return bool(named) and named <= TABLES_OF_NO_PORTAL | NAMES_OF_NO_PORTAL


def _list_table_classes() -> set[str]:
    return {node.name for node in _list_tables()}


def _list_table_names() -> set[str]:
    keywords = [keyword for node in _list_tables() for keyword in node.keywords if keyword.arg == "tablename"]
    constants = [keyword.value for keyword in keywords if isinstance(keyword.value, ast.Constant)]
    return {str(constant.value) for constant in constants} | NAMES_OF_NO_PORTAL


def _list_tables() -> Iterator[ast.ClassDef]:
    for path in sorted((ROOT / "app").rglob("tables.py")):
        tree = ast.parse(path.read_text("utf-8"))
        yield from (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def test_every_query_takes_its_portal_first() -> None:
    assert list(find_queries_without_portal(read_app(), FOR_ALL_PORTALS)) == []


def test_every_exception_exists_and_has_its_reason() -> None:
    needed = {line.partition(" ")[0] for line in find_queries_without_portal(read_app(), {})}
    assert set(FOR_ALL_PORTALS) <= needed, "an exception that nothing needs any more"
    assert all(len(reason.split()) > 3 for reason in FOR_ALL_PORTALS.values())


@pytest.mark.parametrize(
    "text",
    [
        "async def list_calls(limit): ...",
        "async def list_calls(database, limit, portal_id): ...",
        "async def list_calls(*, portal_id): ...",
        "async def count_calls(): return await CallTable.count()",
        "class CallQueries:\n    async def list_calls(self, limit): ...",
        "async def steal(key): return await LeaseTable.raw('SELECT * FROM calls')",
    ],
)
def test_a_query_that_forgets_the_portal_is_found(text: str) -> None:
    assert len(list(find_queries_without_portal([parse("app.calls.queries", text)], {}))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "async def list_calls(portal_id, limit): ...",
        "async def list_calls(database, portal, limit): ...",
        "async def find_portal(member_id): ...",
        "class CallQueries:\n    async def list_calls(self, portal_id): ...",
        "async def _write(rows): ...",
        "async def take_lease(name): return await LeaseTable.update().where(LeaseTable.name == name)",
        "async def take_lease(name): return await run('UPDATE leases SET holder = 1')",
    ],
)
def test_a_query_with_its_portal_passes(text: str) -> None:
    assert list(find_queries_without_portal([parse("app.calls.queries", text)], {})) == []


def test_a_named_exception_passes() -> None:
    sample = parse("app.calls.queries", "async def erase_due(now): ...")
    assert list(find_queries_without_portal([sample], {"app.calls.queries.erase_due": "a reason"})) == []
