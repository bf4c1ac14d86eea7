"""A dictionary with a bound on its entries, for memories that strangers can fill."""

from collections import OrderedDict
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class LimitedMemory(OrderedDict[Key, Value]):
    """A dictionary of at most `most` entries. When there are more, the entry that was written longest ago is
    dropped; reading changes nothing.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)
