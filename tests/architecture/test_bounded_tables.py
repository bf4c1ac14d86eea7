"""Each table has a bound, so that no portal fills the disk that all share."""

import pytest

from app.calls.log.views import MAX_PARAMETERS, MAX_SHARED, MAX_VIEWS
from app.calls.oddities.kept_payloads import MAX_PAYLOAD
from app.calls.oddities.undecodable_events import ROWS_A_PAGE
from app.calls.store.legs import MOST_SHOWN
from app.portals.entrance.offers import MOST_BYTES
from app.portals.outbound.exchange_queries import KEPT_FOR_S
from app.portals.outbound.rate_queries import KEPT_MS
from app.portals.pending_queries import KEPT_FOR_S as PENDING_FOR_S
from app.portals.pending_queries import MOST_IN_ALL, MOST_OF_ORIGIN
from app.portals.settings.quotas import USUAL
from app.scheduler import PURGED_EVERY_S
from app.tables import TABLES
from app.web.http.requests import MAX_BODY_BYTES
from app.web.settings.form import MAX_LINES

ONE_A_PORTAL = "one row a portal that the authorization server confirmed"

# The bound of each table's rows and of their size, with the constants that hold it.
BOUNDS: dict[str, tuple[str, tuple[int, ...]]] = {
    "portals": (f"{ONE_A_PORTAL}; its texts are the steps of a setup and that server's answers", ()),
    "uninstall_checks": (f"{ONE_A_PORTAL}, of numbers", ()),
    "pending_installations": (
        "so many of a network and in all, for a day; each of 2 KiB before it is sealed",
        (MOST_OF_ORIGIN, MOST_IN_ALL, PENDING_FOR_S, MOST_BYTES),
    ),
    "forgotten_portals": ("one row a portal that was installed here and no longer is", ()),
    "rest_exchanges": ("a week, and so many a portal; each is cut", (KEPT_FOR_S, USUAL.requests)),
    "rate_buckets": (
        "so many minutes after the last request to a portal, or to the host that that server named for one",
        (KEPT_MS, PURGED_EVERY_S),
    ),
    "leases": ("one row for each kind of work that one process does alone", ()),
    "facts": ("one row for each value of the installation, and each of its processes", ()),
    "calls": ("rows and bytes together with the legs", (USUAL.rows, USUAL.text_bytes)),
    "call_legs": ("rows and bytes together with the calls", (USUAL.rows, USUAL.text_bytes)),
    "call_operators": ("one row a confirmed leg at most", (MOST_SHOWN, USUAL.rows)),
    "undecodable_events": (
        "so many events, and odd rows of the statistics; each is cut at 8 KiB",
        (USUAL.undecodable_events, USUAL.odd_rows, ROWS_A_PAGE, MAX_PAYLOAD),
    ),
    "statistics_marks": (f"{ONE_A_PORTAL}, of numbers and one code of 64 characters", ()),
    "saved_views": (
        "so many a user, a portal, and shared",
        (MAX_VIEWS, USUAL.views, MAX_SHARED, MAX_PARAMETERS),
    ),
    "portal_usage": (f"{ONE_A_PORTAL}, of numbers", ()),
    "people": ("so many a portal", (USUAL.people,)),
    "user_preferences": ("so many a portal, each of known columns and a theme", (USUAL.preferences,)),
    "departments": ("so many a portal", (USUAL.departments,)),
    "department_members": ("so many a portal", (USUAL.memberships,)),
    "structures": (f"{ONE_A_PORTAL}, of numbers", ()),
    "portal_settings": (f"{ONE_A_PORTAL}, as large as one form", (MAX_BODY_BYTES, MAX_LINES)),
}


def test_each_table_has_a_bound() -> None:
    assert {table._meta.tablename for table in TABLES} == set(BOUNDS)  # noqa: SLF001  Piccolo tells it nowhere else.


@pytest.mark.parametrize("name", BOUNDS)
def test_a_bound_is_said_and_counted(name: str) -> None:
    reason, numbers = BOUNDS[name]
    assert len(reason.split()) > 3
    assert numbers or reason.startswith("one row"), "without one row a portal, a number has to bound it"
