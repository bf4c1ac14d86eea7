"""The tables of this feature."""

from piccolo.columns import BigInt, BigSerial, Boolean, Text
from piccolo.table import Table


class PersonTable(Table, tablename="people"):
    """A user of a portal, unique on (portal_id, user_id); dismissed users keep their name.

    `is_listed` is false for a system user: calls name it, and `user.get` does not list it.
    """

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    user_id = BigInt()
    name = Text()
    is_active = Boolean()
    is_listed = Boolean()


class UserPreferencesTable(Table, tablename="user_preferences"):
    """The preferences of one user, unique on (portal_id, user_id); null is not chosen."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    user_id = BigInt()
    columns = Text(null=True, default=None)  # of the log, in their order, separated by spaces
    theme = Text(null=True, default=None)  # auto | light | dark


class DepartmentTable(Table, tablename="departments"):
    """A department of a portal, unique on (portal_id, department_id)."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    department_id = BigInt()
    name = Text()
    parent_id = BigInt(null=True, default=None)
    head_id = BigInt(null=True, default=None)


class MemberTable(Table, tablename="department_members"):
    """A membership: a user belongs to a department; unique on (portal_id, department_id, user_id)."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    department_id = BigInt()
    user_id = BigInt()


class StructureTable(Table, tablename="structures"):
    """Whether a portal's departments are known, and when they were read."""

    portal_id = BigInt(primary_key=True)
    state = Text()  # read | not_granted
    read_at = BigInt()
