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
