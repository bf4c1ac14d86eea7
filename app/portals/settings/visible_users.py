"""Whose calls somebody may see: what `people` decides, and every query on calls enforces (decision 0020)."""

from enum import Enum
from typing import Final


class Everyone(Enum):
    """The calls of everyone, and those of no employee."""

    EVERYONE = "everyone"


EVERYONE: Final = Everyone.EVERYONE
# Everyone's calls, or those of these users of the portal: then a call of no employee is nobody's.
Visible = Everyone | frozenset[int]
