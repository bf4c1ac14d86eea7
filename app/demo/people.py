"""The invented staff of a new portal."""

from app.demo.state import Department, PortalState, User

ADMIN_ID = 1
OPERATOR_ID = 12


def staff_portal(state: PortalState) -> None:
    """Fill an empty portal with invented departments and users; ids have gaps, as on real portals."""
    state.departments = [
        Department(1, "Northwind", parent_id=None, head_id=ADMIN_ID),
        Department(3, "Sales", parent_id=1, head_id=12),
        Department(4, "Support", parent_id=1, head_id=18),
    ]
    staff = [
        User(
            1,
            "Clara",
            "Winter",
            True,
            statistics_right="all",
            time_zone="Europe/Berlin",
            work_position="Director",
            gender="F",
        ),
        User(2, "Queue", "Robot", is_system=True, statistics_right="none"),
        User(
            12,
            "Jonas",
            "Falk",
            time_zone="Europe/Berlin",
            work_position="Head of sales",
            gender="M",
            department_ids=[3],
        ),
        User(
            14,
            "Amélie",
            "Rousselle",
            time_zone="Europe/Paris",
            work_position="Sales",
            gender="F",
            department_ids=[3],
        ),
        User(
            18,
            "Tomáš",
            "Dvorský",
            time_zone="Europe/Prague",
            work_position="Head of support",
            gender="M",
            department_ids=[4],
        ),
        User(21, "Nadia", "Haddad", time_zone="", work_position="Support", gender="F", department_ids=[4]),
        User(27, "Oleg", "Sorin", is_active=False, work_position="Support", department_ids=[4]),
    ]
    state.users = {user.id: user for user in staff}
