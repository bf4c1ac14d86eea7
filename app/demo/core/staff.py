"""The invented staff of a new portal."""

from app.demo.core.state import Department, PortalState, User

ADMIN_ID = 1
OPERATOR_ID = 12

DEPARTMENTS = ((1, "Northwind", None, 1), (3, "Sales", 1, 14), (4, "Support", 1, 18))
"""Id, name, parent, head."""

STAFF = (
    (12, "Jonas", "Falk", "M", 3, "Sales", "Europe/Berlin"),
    (14, "Amélie", "Rousselle", "F", 3, "Head of sales", "Europe/Paris"),
    (18, "Tomáš", "Dvorský", "M", 4, "Head of support", "Europe/Prague"),
    (21, "Nadia", "Haddad", "F", 4, "Support", ""),
    (27, "Oleg", "Sorin", "M", 4, "Support", ""),
)
"""Id, name, last name, gender, department, position, time zone; the last person has left the company."""


def staff_portal(state: PortalState) -> None:
    """Fill an empty portal with invented departments and users; ids have gaps, as on real portals."""
    state.departments = [
        Department(id=id_, name=name, parent_id=parent_id, head_id=head_id)
        for id_, name, parent_id, head_id in DEPARTMENTS
    ]
    admin = User(
        id=ADMIN_ID, name="Clara", last_name="Winter", is_admin=True, statistics_right="all", gender="F"
    )
    admin.work_position, admin.time_zone = "Director", "Europe/Berlin"
    robot = User(id=2, name="Queue", last_name="Robot", is_system=True, statistics_right="none")
    state.users = {admin.id: admin, robot.id: robot}
    for id_, name, last_name, gender, department_id, position, time_zone in STAFF:
        user = User(id=id_, name=name, last_name=last_name, gender=gender, department_ids=[department_id])
        user.work_position, user.time_zone = position, time_zone
        user.is_active = id_ != STAFF[-1][0]
        state.users[id_] = user
