"""The table of this feature."""

from piccolo.columns import BigInt, BigSerial, Boolean, Text
from piccolo.table import Table


class PersonTable(Table, tablename="people"):
    """A user of a portal, unique on (portal_id, user_id); dismissed ones keep their name."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    user_id = BigInt()
    name = Text()
    is_active = Boolean()


class UserPreferencesTable(Table, tablename="user_preferences"):
    """What one user chose, unique on (portal_id, user_id); null is never chosen."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    user_id = BigInt()
    columns = Text(null=True, default=None)  # of the log, in their order, separated by spaces
    theme = Text(null=True, default=None)  # auto | light | dark
