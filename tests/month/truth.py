"""Since when the portal's statistics show each of their rows, and so which rows a truthful log must hold.

The promise (decisions 0013 and 0014): "complete up to" a moment says that all rows which the statistics
showed then to the owner of the token are stored. It has three exceptions, each with its end:

- A row that becomes visible more than an hour after one with a higher id is found by the daily audit. It may
be missing until the next audit that agreed began, and no claim may be more than a day later than the row,
because the first read after 20 hours audits.
- A row that gets another CALL_ID is stored under the former one until the next full read.
- While the owner's rights are cut, nothing is promised of rows that were not shown before.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from app.demo.core.statistics import StatisticsRow

HOUR_S, DAY_S = 3600, 86_400
FORGIVEN_S = HOUR_S  # A row with a lower id that is late by no more is found by the next read.
FOUND_WITHIN_S = DAY_S


class Look(NamedTuple):
    """Callbook's claims about its log now, and the CALL_ID under which each row of the statistics is stored.

    `complete_up_to` is by the portal's clock, the others by true time at the latest.
    """

    complete_up_to: int
    audited_at: int
    full_read_at: int
    stored: Mapping[int, str]


class Truth:
    """The rows that the statistics have now, by their ids; others change the list."""

    def __init__(self, rows: Sequence[StatisticsRow]) -> None:
        self.rows = rows
        self.made_at: dict[int, int] = {}
        self.call_ids: set[str] = set()  # All that any row ever had.
        self.shown_at: dict[int, int] = {}
        self._renamed: dict[int, tuple[str, int]] = {}  # By the row's id: its former CALL_ID, and when.

    def add(self, row: StatisticsRow, made_at: int, shown_at: int) -> None:
        """Note that a row was written, under an id that no other row has now."""
        self.made_at[row.id], self.shown_at[row.id] = made_at, shown_at
        self._renamed.pop(row.id, None)
        self.call_ids.add(row.call_id)

    def note_renamed(self, row: StatisticsRow, former: str, at: int) -> None:
        """Note that the row has another CALL_ID from now on."""
        self._renamed[row.id] = (former, at)
        self.call_ids.add(row.call_id)

    def hide(self, row: StatisticsRow, until: int) -> None:
        """Note that the owner of the token does not see this row, which no read has shown yet, before
        `until`.
        """
        self.shown_at[row.id] = max(self.shown_at[row.id], until)

    def cut(self, rows: Iterable[StatisticsRow], since: int, until: int) -> None:
        """Note that until `until` the owner sees neither these rows nor their new CALL_IDs. A row that was
        first shown after `since` may not have been read before the cut.
        """
        for row in rows:
            if self.shown_at[row.id] > since:
                self.hide(row, until)
            if row.id in self._renamed:
                former, at = self._renamed[row.id]
                self._renamed[row.id] = (former, max(at, until))

    def is_stored(self, row: StatisticsRow, look: Look) -> bool:
        """Whether the log has the row, under its CALL_ID, or under a former one that no full read has
        replaced yet.
        """
        held = look.stored.get(row.id)
        former, renamed_at = self._renamed.get(row.id, ("", 0))
        return held == row.call_id or (held == former and renamed_at > look.full_read_at)

    def list_missing(self, look: Look) -> list[int]:
        """The rows that the log lacks although it claims to have them."""
        missing, first_higher = [], 2**62
        for row in reversed(self.rows):
            shown_at = self.shown_at[row.id]
            promised_at = look.complete_up_to
            if shown_at - first_higher > FORGIVEN_S:
                promised_at = min(promised_at, max(look.audited_at, promised_at - FOUND_WITHIN_S))
            if shown_at <= promised_at and not self.is_stored(row, look):
                missing.append(row.id)
            first_higher = min(first_higher, shown_at)
        return missing
