"""The users with visible calls: `people` decides them, and every query on calls enforces them (decision
0020).
"""

from enum import Enum
from typing import Final


class Everyone(Enum):
    """The viewer sees the calls of all employees, and the calls that belong to no employee."""

    EVERYONE = "everyone"


EVERYONE: Final = Everyone.EVERYONE
# EVERYONE: all calls. A set: the calls of these users, without the calls that belong to no employee.
Visible = Everyone | frozenset[int]
