"""The tables of this feature."""

from piccolo.columns import BigInt, BigSerial, Boolean, Text
from piccolo.table import Table


class PersonTable(Table, tablename="people"):
    """A user of a portal, unique on (portal_id, user_id); dismissed ones keep their name.

    One that `user.get` does not list though calls name it has `is_listed` false: a system user.
    """

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    user_id = BigInt()
    name = Text()
    is_active = Boolean()
    is_listed = Boolean()


class UserPreferencesTable(Table, tablename="user_preferences"):
    """What one user chose, unique on (portal_id, user_id); null is never chosen."""

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
    """Who belongs to which department, unique on (portal_id, department_id, user_id)."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    department_id = BigInt()
    user_id = BigInt()


class StructureTable(Table, tablename="structures"):
    """Whether a portal's departments are known, and since when."""

    portal_id = BigInt(primary_key=True)
    state = Text()  # read | not_granted
    read_at = BigInt()
