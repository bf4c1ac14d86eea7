"""The filters as one condition, which every statement about the log shares."""

from collections.abc import Iterable

from piccolo.columns.combination import And, Or, WhereRaw
from piccolo.custom_types import Combinable

from app.calls.log.selection.filters import Filters
from app.calls.log.selection.number_search import search_patterns
from app.calls.log.selection.visibility_queries import took_part
from app.calls.store.outcome import OUTCOME_BY_CODE, TYPES_BY_DIRECTION, UNANSWERED, Outcome
from app.calls.tables import CallTable
from app.kit.text import storable

INCOMING = ", ".join(str(call_type) for call_type in TYPES_BY_DIRECTION["in"])
IS_MISSED = f"code = '{UNANSWERED}' AND type IN ({INCOMING})"
HAS_CLIENT = "COALESCE(crm_entity_type, '') <> '' AND crm_entity_id IS NOT NULL"

# The stored members of a department and of those below it; UNION also ends where departments form a circle.
_STAFF = """
    user_id IN (SELECT user_id FROM department_members WHERE portal_id = {} AND department_id IN (
        WITH RECURSIVE below(department_id) AS (
            SELECT department_id FROM departments WHERE portal_id = {} AND department_id IN ({wanted})
            UNION SELECT d.department_id FROM departments d JOIN below b ON d.parent_id = b.department_id
            WHERE d.portal_id = {})
        SELECT department_id FROM below))
"""
_BY_STAFF = f"""
    ({_STAFF} OR call_id IN (SELECT call_id FROM call_operators WHERE portal_id = {{}} AND {_STAFF}))
"""  # noqa: S608  Our own names only.


def matching(portal_id: int, filters: Filters) -> Combinable:
    """The condition for the calls of the portal that match the filters."""
    conditions = [*_in_time(filters), *_of_kind(filters), *_with_facts(portal_id, filters)]
    if filters.department_ids:
        conditions.append(_of_departments(portal_id, filters.department_ids))
    return all_of(conditions)


def all_of(conditions: Iterable[Combinable]) -> Combinable:
    """All conditions together; true where there are none."""
    combined: Combinable = WhereRaw("1 = 1")
    for condition in conditions:
        combined = And(combined, condition)
    return combined


def _in_time(filters: Filters) -> Iterable[Combinable]:
    if filters.since is not None:
        yield CallTable.started_at >= filters.since
    if filters.until is not None:
        yield CallTable.started_at < filters.until
    if filters.duration_from is not None:
        yield CallTable.duration_s >= filters.duration_from
    if filters.duration_to is not None:
        yield CallTable.duration_s <= filters.duration_to


def _of_kind(filters: Filters) -> Iterable[Combinable]:
    if filters.direction is not None:
        yield CallTable.type.is_in(list(TYPES_BY_DIRECTION[filters.direction]))
    endings = [_having_outcome(outcome) for outcome in filters.outcomes]
    if filters.codes:
        endings.append(CallTable.code.is_in([storable(code) for code in filters.codes]))
    if endings:
        yield _any_of(endings)


def _with_facts(portal_id: int, filters: Filters) -> Iterable[Combinable]:
    if filters.user_ids:
        yield took_part(portal_id, filters.user_ids)
    if filters.line is not None:
        yield CallTable.portal_number == storable(filters.line)
    if filters.has_recording is not None:
        yield CallTable.has_recording == filters.has_recording
    if filters.has_client is not None:
        yield WhereRaw(HAS_CLIENT if filters.has_client else f"NOT ({HAS_CLIENT})")
    if filters.text is not None:
        yield _having_number(filters.text)


def _of_departments(portal_id: int, department_ids: tuple[int, ...]) -> Combinable:
    marks = ", ".join("{}" for _ in department_ids)
    values = (portal_id, portal_id, *department_ids, portal_id)
    return WhereRaw(_BY_STAFF.replace("{wanted}", marks), *values, portal_id, *values)


def _any_of(conditions: list[Combinable]) -> Combinable:
    combined = conditions[0]
    for condition in conditions[1:]:
        combined = Or(combined, condition)
    return combined


def _having_outcome(outcome: Outcome) -> Combinable:
    """The condition for calls with this outcome. It says in SQL what `outcome.outcome_of` says in Python; a
    test compares the two.
    """
    if outcome == "unknown":
        return WhereRaw("COALESCE(code, '') = ''")
    if outcome == "missed":
        return WhereRaw(IS_MISSED)
    if outcome == "no_answer":
        return WhereRaw(f"code = {{}} AND COALESCE(type, 0) NOT IN ({INCOMING})", UNANSWERED)
    if outcome == "failed":
        return And(WhereRaw("code <> ''"), CallTable.code.not_in([*OUTCOME_BY_CODE, UNANSWERED]))
    return CallTable.code.is_in([code for code, meaning in OUTCOME_BY_CODE.items() if meaning == outcome])


def _having_number(text: str) -> Combinable:
    kind, patterns = search_patterns(text)
    if kind == "text":
        escaped = storable(patterns[0]).replace("!", "!!").replace("%", "!%").replace("_", "!_")
        return WhereRaw("LOWER(phone_number) LIKE {} ESCAPE '!'", f"%{escaped}%")
    either = " OR ".join("phone_digits LIKE {}" for _ in patterns)
    return WhereRaw(f"({either})", *(f"%{pattern}%" for pattern in patterns))
