"""The columns of an export: their heads, and what each shows of a call."""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from app.calls.reading import LoggedCall
from app.kit.words import Words
from app.web.exports.cells import Cell, Duration, Moment, Phone
from app.web.presenting import COST_UNIT, to_local, visible


class Column(NamedTuple):
    """One column; `width` in characters, for files that have widths."""

    name: str
    head: str
    width: int
    read: Callable[[LoggedCall], Cell]


class Sheet(NamedTuple):
    """What an export writes of each call, in which language."""

    columns: Sequence[Column]
    locale: str

    @property
    def heads(self) -> list[str]:
        """The first line."""
        return [column.head for column in self.columns]

    def cells(self, call: LoggedCall) -> list[Cell]:
        """One line."""
        return [
            visible(cell) if isinstance(cell, str) else cell
            for cell in (column.read(call) for column in self.columns)
        ]


class Reader:
    """What is shown of a call in one language and zone; `names` of users may be filled meanwhile."""

    def __init__(
        self,
        words: Words,
        zone: tzinfo,
        names: Mapping[int, str],
        line_names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.words = words
        self.zone = zone
        self.names = names
        self.line_names = line_names
        self.directions = _name_directions(words)
        self.outcomes = _name_outcomes(words)
        self.card_kinds = _name_cards(words)
        self.no, self.yes = words.gettext("No"), words.gettext("Yes")

    def direction(self, call: LoggedCall) -> Cell:
        """Nothing for a type that is not known."""
        return self.directions.get(call.direction or "")

    def outcome(self, call: LoggedCall) -> Cell:
        """Nothing where nothing is known."""
        return self.outcomes.get(call.outcome or "")

    def moment(self, call: LoggedCall) -> Cell:
        """When the call began, by the reader's clock."""
        return Moment(to_local(call.started_at, self.zone).replace(tzinfo=None))

    def operator(self, call: LoggedCall) -> Cell:
        """The name of a user, else what the log shows for one without."""
        if call.user_id is None:
            return None
        return self.names.get(call.user_id) or self.words.gettext("User %(id)s", id=call.user_id)

    def line(self, call: LoggedCall) -> Cell:
        """The name that the portal gave it, else its number."""
        return self.line_names.get(call.portal_number or "") or _number(call.portal_number)

    def card(self, call: LoggedCall) -> Cell:
        """The CRM card of a call: `Contact 12`."""
        if not call.crm_entity_type or call.crm_entity_id is None:
            return None
        return f"{self.card_kinds.get(call.crm_entity_type, call.crm_entity_type)} {call.crm_entity_id}"

    def is_so(self, fact: bool) -> str:  # noqa: FBT001  It is about the fact.
        """A yes or a no."""
        return self.yes if fact else self.no


def make_columns(reader: Reader) -> tuple[Column, ...]:
    """All columns, in the order of the log."""
    pgettext = reader.words.pgettext
    return (
        Column("time", pgettext("column", "Time (%(zone)s)", zone=reader.zone), 21, reader.moment),
        Column("direction", pgettext("column", "Direction"), 14, reader.direction),
        Column("outcome", pgettext("column", "Outcome"), 14, reader.outcome),
        Column("number", pgettext("column", "Number"), 20, lambda call: _number(call.phone_number)),
        Column("operator", pgettext("column", "Employee"), 24, reader.operator),
        Column("line", pgettext("column", "Line"), 20, reader.line),
        Column("duration", pgettext("column", "Duration"), 11, lambda call: _length(call.duration_s)),
        Column("cost", pgettext("column", "Cost"), 11, lambda call: _money(call.cost_e4)),
        Column("currency", pgettext("column", "Currency"), 10, lambda call: call.currency),
        Column("code", pgettext("column", "Code"), 8, lambda call: call.code),
        Column("reason", pgettext("column", "Reason"), 24, lambda call: call.reason),
        Column("crm", pgettext("column", "CRM card"), 18, reader.card),
        Column(
            "recording", pgettext("column", "Recording"), 11, lambda call: reader.is_so(call.has_recording)
        ),
        Column(
            "transcript", pgettext("column", "Transcript"), 11, lambda call: reader.is_so(call.has_transcript)
        ),
        Column("id", pgettext("column", "Call ID"), 40, lambda call: call.call_id),
    )


def _number(text: str | None) -> Phone | None:
    return Phone(visible(text)) if text else None


def _length(duration_s: int | None) -> Duration | None:
    return None if duration_s is None else Duration(duration_s)


def _money(cost_e4: int | None) -> Decimal | None:
    return None if cost_e4 is None else Decimal(cost_e4) / COST_UNIT


def _name_directions(words: Words) -> dict[str, str]:
    return {
        "in": words.pgettext("direction", "Incoming"),
        "out": words.pgettext("direction", "Outgoing"),
        "callback": words.pgettext("direction", "Callback"),
        "info": words.pgettext("direction", "Informational"),
    }


def _name_outcomes(words: Words) -> dict[str, str]:
    return {
        "answered": words.pgettext("outcome", "Answered"),
        "missed": words.pgettext("outcome", "Missed"),
        "no_answer": words.pgettext("outcome", "No answer"),
        "declined": words.pgettext("outcome", "Declined"),
        "cancelled": words.pgettext("outcome", "Cancelled"),
        "busy": words.pgettext("outcome", "Busy"),
        "unreachable": words.pgettext("outcome", "Unreachable"),
        "failed": words.pgettext("outcome", "Failed"),
    }


def _name_cards(words: Words) -> dict[str, str]:
    return {
        "CONTACT": words.pgettext("card", "Contact"),
        "COMPANY": words.pgettext("card", "Company"),
        "LEAD": words.pgettext("card", "Lead"),
        "DEAL": words.pgettext("card", "Deal"),
    }
