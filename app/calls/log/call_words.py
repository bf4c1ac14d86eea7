"""The names of outcomes, directions, CRM cards and columns in one language, for pages and files alike."""

from app.calls.log.columns import Column
from app.calls.store.outcome import Direction, Outcome
from app.kit.messages.words import Words


def name_outcomes(words: Words) -> dict[Outcome | None, str]:
    """The name of each outcome; a call without an outcome has the name of `unknown`."""
    unknown = words.pgettext("outcome", "Unknown outcome")
    return {
        "answered": words.pgettext("outcome", "Answered"),
        "missed": words.pgettext("outcome", "Missed"),
        "no_answer": words.pgettext("outcome", "No answer"),
        "declined": words.pgettext("outcome", "Declined"),
        "cancelled": words.pgettext("outcome", "Cancelled"),
        "busy": words.pgettext("outcome", "Busy"),
        "unreachable": words.pgettext("outcome", "Unreachable"),
        "failed": words.pgettext("outcome", "Failed"),
        "unknown": unknown,
        None: unknown,
    }


def name_directions(words: Words) -> dict[Direction | None, str]:
    """The name of each direction, and one for a call of an unknown type."""
    return {
        "in": words.pgettext("direction", "Incoming"),
        "out": words.pgettext("direction", "Outgoing"),
        "callback": words.pgettext("direction", "Callback"),
        "info": words.pgettext("direction", "Informational"),
        None: words.pgettext("direction", "Unknown direction"),
    }


def name_cards(words: Words) -> dict[str, str]:
    """The name of each kind of CRM card."""
    return {
        "CONTACT": words.pgettext("card", "Contact"),
        "COMPANY": words.pgettext("card", "Company"),
        "LEAD": words.pgettext("card", "Lead"),
        "DEAL": words.pgettext("card", "Deal"),
    }


def name_columns(words: Words) -> dict[Column, str]:
    """The head of each column of the log."""
    return {
        "time": words.pgettext("column", "Time"),
        "call": words.pgettext("column", "Call"),
        "number": words.pgettext("column", "Number"),
        "operator": words.pgettext("column", "Employee"),
        "line": words.pgettext("column", "Line"),
        "duration": words.pgettext("column", "Duration"),
        "cost": words.pgettext("column", "Cost"),
        "department": words.pgettext("column", "Department"),
        "vote": words.pgettext("column", "Vote"),
        "comment": words.pgettext("column", "Comment"),
        "recording": words.pgettext("column", "Recording"),
        "client": words.pgettext("column", "CRM card"),
        "code": words.pgettext("column", "Code"),
    }
