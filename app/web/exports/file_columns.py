"""The columns of an export: their heads, their cells for a call, and the log's column that shows the same."""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple

from app.calls.log import columns as log_columns
from app.calls.log.call_words import name_cards, name_columns, name_directions, name_outcomes
from app.calls.log.logged_calls import LoggedCall, LoggedLeg
from app.kit.messages.words import Words
from app.kit.text import shorten
from app.web.display.presenter import COST_UNIT, LONGEST_DEPARTMENTS, is_of_robot, to_local, visible
from app.web.exports.cells import Cell, Duration, Moment, Phone


class Column(NamedTuple):
    """One column; `width` in characters, for files that have widths.

    `shown_as` is the log's column that shows the same fact; empty if the log has none.
    """

    name: str
    shown_as: log_columns.Column | Literal[""]
    head: str
    width: int
    read: Callable[[LoggedCall], Cell]


class Known(NamedTuple):
    """Names, departments and legs for the calls, which the export fills in batch by batch."""

    names: dict[int, str]
    departments: dict[int, list[str]]  # Their names, by user.
    legs: dict[int, list[LoggedLeg]]  # By the call's `id`.


class Sheet(NamedTuple):
    """The columns that an export writes, and its language."""

    columns: Sequence[Column]
    locale: str

    def has(self, name: str) -> bool:
        """Whether the export writes this column."""
        return any(column.name == name for column in self.columns)

    @property
    def heads(self) -> list[str]:
        """The cells of the first line."""
        return [column.head for column in self.columns]

    def cells(self, call: LoggedCall) -> list[Cell]:
        """The cells of one call's line."""
        return [
            visible(cell) if isinstance(cell, str) else cell
            for cell in (column.read(call) for column in self.columns)
        ]


class Addressee:
    """Makes cells in the language and zone of the file's receiver. The export fills `known` meanwhile."""

    def __init__(
        self,
        words: Words,
        zone: tzinfo,
        known: Known,
        line_names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.words = words
        self.zone = zone
        self.known = known
        self.line_names = line_names
        # Where the log says that something is unknown, a cell is empty.
        self.directions = {**name_directions(words), None: None}
        self.outcomes = {**name_outcomes(words), None: None}
        self.card_kinds = name_cards(words)
        self.no, self.yes = words.gettext("No"), words.gettext("Yes")

    def direction(self, call: LoggedCall) -> Cell:
        """The direction; None for an unknown type."""
        return self.directions[call.direction]

    def outcome(self, call: LoggedCall) -> Cell:
        """The outcome; None if it is not known."""
        return self.outcomes[call.outcome]

    def moment(self, call: LoggedCall) -> Cell:
        """The moment when the call began, in the zone of the file."""
        return Moment(to_local(call.started_at, self.zone).replace(tzinfo=None))

    def operator(self, call: LoggedLeg) -> Cell:
        """The employee as in the log: a name, `User 12` if the name is not known, `Robot`, or None."""
        if call.user_id is None:
            return self.words.gettext("Robot") if is_of_robot(call) else None
        return self.known.names.get(call.user_id) or self.words.gettext("User %(id)s", id=call.user_id)

    def departments(self, call: LoggedCall) -> Cell:
        """The departments of the employee, with commas between."""
        names = ", ".join(self.known.departments.get(call.user_id or 0, ()))
        return shorten(names, LONGEST_DEPARTMENTS) or None

    def legs(self, call: LoggedCall) -> Cell:
        """The legs in order, each with its employee, outcome and duration; None if the call has
        one leg only.
        """
        legs = self.known.legs.get(call.id, [])
        return "; ".join(map(self._leg, legs)) if len(legs) > 1 else None

    def _leg(self, leg: LoggedLeg) -> str:
        outcome = self.outcomes[leg.outcome]
        length = None if leg.duration_s is None else Duration(leg.duration_s).to_text()
        return " · ".join(str(fact) for fact in (self.operator(leg), outcome, length) if fact)

    def line(self, call: LoggedCall) -> Cell:
        """The name that the portal's administrators gave to the line, else its number."""
        return self.line_names.get(call.portal_number or "") or _number(call.portal_number)

    def card(self, call: LoggedCall) -> Cell:
        """The CRM card of a call: `Contact 12`."""
        if not call.crm_entity_type or call.crm_entity_id is None:
            return None
        return f"{self.card_kinds.get(call.crm_entity_type, call.crm_entity_type)} {call.crm_entity_id}"

    def is_so(self, fact: bool | None) -> Cell:  # noqa: FBT001  It is about the fact.
        """Yes or no; None while the fact is not known."""
        return None if fact is None else self.yes if fact else self.no


def make_columns(addressee: Addressee) -> tuple[Column, ...]:
    """All columns. A new column goes just before the call's id, which stays the last: programs that count the
    columns still find the older ones.
    """
    pgettext, gettext = addressee.words.pgettext, addressee.words.gettext
    heads = name_columns(addressee.words)
    time = pgettext("column", "Time (%(zone)s)", zone=addressee.zone)
    return (
        _column("time", "time", time, 21, addressee.moment),
        _column("direction", "call", pgettext("column", "Direction"), 14, addressee.direction),
        _column("outcome", "call", pgettext("column", "Outcome"), 14, addressee.outcome),
        _column("number", "number", heads["number"], 20, lambda call: _number(call.phone_number)),
        _column("operator", "operator", heads["operator"], 24, addressee.operator),
        _column("line", "line", heads["line"], 20, addressee.line),
        _column("duration", "duration", heads["duration"], 11, lambda call: _length(call.duration_s)),
        _column("cost", "cost", heads["cost"], 11, lambda call: _money(call.cost_e4)),
        _column("currency", "cost", pgettext("column", "Currency"), 10, lambda call: call.currency),
        _column("code", "code", heads["code"], 8, lambda call: call.code),
        _column("reason", "code", pgettext("column", "Reason"), 24, lambda call: call.reason),
        _column("crm", "client", heads["client"], 18, addressee.card),
        _column(
            "recording",
            "recording",
            heads["recording"],
            11,
            lambda call: addressee.is_so(call.has_recording),
        ),
        _column(
            "transcript",
            "",
            pgettext("column", "Transcript"),
            11,
            lambda call: addressee.is_so(call.has_transcript),
        ),
        _column("department", "department", heads["department"], 20, addressee.departments),
        _column("vote", "vote", heads["vote"], 8, lambda call: call.vote or None),
        _column("comment", "comment", heads["comment"], 30, lambda call: call.comment),
        _column("legs", "", pgettext("column", "Legs"), 40, addressee.legs),
        _column(
            "confirmed", "", gettext("In the statistics"), 11, lambda call: addressee.is_so(call.confirmed)
        ),
        _column("id", "", pgettext("column", "Call ID"), 40, lambda call: call.call_id),
    )


def choose_columns(columns: Sequence[Column], shown: Sequence[log_columns.Column]) -> tuple[Column, ...]:
    """The columns of the file for the log's columns in `shown`, in the order of `shown`. Returns all columns
    of the file if there is none for them.
    """
    chosen = tuple(column for name in shown for column in columns if column.shown_as == name)
    return chosen or tuple(columns)


def _column(
    name: str,
    shown_as: log_columns.Column | Literal[""],
    head: str,
    width: int,
    read: Callable[[LoggedCall], Cell],
) -> Column:
    return Column(name=name, shown_as=shown_as, head=head, width=width, read=read)


def _number(text: str | None) -> Phone | None:
    return Phone(visible(text)) if text else None


def _length(duration_s: int | None) -> Duration | None:
    return None if duration_s is None else Duration(duration_s)


def _money(cost_e4: int | None) -> Decimal | None:
    return None if cost_e4 is None else Decimal(cost_e4) / COST_UNIT
