"""The tables of this feature. Times are Unix seconds; money is in ten-thousandths of its currency."""

from piccolo.columns import BigInt, BigSerial, Boolean, Integer, Text
from piccolo.columns.base import Column
from piccolo.table import Table


def _optional(column: type[Column]) -> Column:
    return column(null=True, default=None)


class FieldColumns:
    """The columns that calls and legs have in common: those of `CallFields` (app/calls/store/legs.py)."""

    type = _optional(Integer)
    phone_number = _optional(Text)
    portal_number = _optional(Text)
    user_id = _optional(BigInt)
    started_at = BigInt()
    is_start_guessed = Boolean()  # the event named no start: `started_at` is our guess until one is known
    duration_s = _optional(BigInt)
    cost_e4 = _optional(BigInt)
    currency = _optional(Text)
    code = _optional(Text)
    reason = _optional(Text)
    crm_activity_id = _optional(BigInt)
    crm_entity_type = _optional(Text)
    crm_entity_id = _optional(BigInt)
    has_recording = Boolean()
    has_transcript = Boolean()
    vote = _optional(BigInt)
    comment = _optional(Text)


class CallTable(FieldColumns, Table, tablename="calls"):
    """One call as the log shows it, unique on (portal_id, call_id)."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    call_id = Text()
    phone_digits = _optional(Text)
    is_confirmed = Boolean()  # a row of the statistics tells of it
    is_gone = Boolean()  # a row of the statistics told of it and is deleted by now: it never counts
    sum_duration_s = _optional(BigInt)  # of all rows; null: the sum is `duration_s`
    source = Text()  # event | history
    received_at = BigInt()


class CallLegTable(FieldColumns, Table, tablename="call_legs"):
    """One leg of a call: a row of the portal's statistics, or a leg that only an event told.

    Unique on (portal_id, statistics_id). A call that came by one event and is not in the statistics yet has
    no row here.
    """

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    call_id = Text()
    statistics_id = _optional(BigInt)
    received_at = BigInt()
    gone_at = _optional(BigInt)  # since when this row is known to be deleted
    lacked_at = _optional(BigInt)  # since when reads lack it for another reason


class CallOperatorTable(Table, tablename="call_operators"):
    """The user of a confirmed leg of a call, beside the operator of the call's own row; few calls have any.

    Unique on (portal_id, user_id, call_id).
    """

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    user_id = BigInt()
    call_id = Text()


class UndecodableEventTable(Table, tablename="undecodable_events"):
    """A verified event that could not be decoded, kept without its tokens for `portals events`."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    event = Text()
    payload = Text()
    reason = Text()
    received_at = BigInt()


class StatisticsMarkTable(Table, tablename="statistics_marks"):
    """How far a portal's statistics have been read, in one generation of the portal.

    The log has all rows from `low_id` to `high_id`; the history goes down from there to `bottom_id`.
    """

    portal_id = BigInt(primary_key=True)
    generation = Integer()
    token_user_id = BigInt()  # the token's owner, who was shown the rows; 0: unknown
    history_state = Text()  # pending | running | complete | failed
    top_id = _optional(BigInt)  # the highest id at the first read; null before it
    low_id = BigInt()
    bottom_id = BigInt()
    high_id = BigInt()
    read_up_to = _optional(BigInt)  # by the portal's clock
    rows_done = BigInt()
    rows_total = BigInt()  # an estimate until the history is complete
    batch_pages = Integer()
    range_width = BigInt()
    failures = Integer()
    failure_code = _optional(Text)
    next_at = BigInt()
    claimed_until = BigInt()
    next_read_at = BigInt()  # when the schedule wants the next forward read
    evidence_at = _optional(BigInt)  # since when there is evidence that a call is missing
    late_facts_at = _optional(BigInt)  # when the portal will have the late facts of a call
    full_read_at = _optional(BigInt)  # the last read that went back 30 days
    looked_at = _optional(BigInt)  # by our clock: when the last whole read began
    is_limited = Boolean()  # rows that were shown, or several operators' calls, are hidden from the owner
    counts_all = Boolean()  # several operators' calls are missing: those in doubt count
    reopened_at = _optional(BigInt)  # by our clock: when the history was last opened to be read again
    pass_low_id = _optional(BigInt)  # how far down a read that was cut off has come; null: none was
    pass_bottom_id = BigInt()
    pass_since = BigInt()
    pass_looked_at = BigInt()  # by our clock
    pass_began_at = _optional(BigInt)  # by the portal's clock
    audited_at = _optional(BigInt)  # by our clock: when the portal's count last agreed; null: not yet
    unequal_since = _optional(BigInt)  # since when the portal's count differs
    audit_offset = BigInt()  # the portal's count minus our rows, in the last comparison that ended
    suspected_from = _optional(BigInt)  # the lowest id that may be another call's; null: none is suspected
    audit_state = Text()  # the search of a comparison that was cut off; empty: none was
    audit_tries = Integer()  # how often in a row a comparison did not end
    audit_next_at = BigInt()  # when the comparison is to go on
    audit_slice_id = BigInt()  # the next day's comparison reads the slice below this id again
    # Where the mark stood an hour and a day ago: app.calls.statistics.progress.window says what for.
    hour_id = BigInt()  # `high_id` at `hour_at`
    hour_at = BigInt()
    hour_before_id = BigInt()  # the `hour_id` before this one
    day_id = BigInt()  # `high_id` at `day_at`
    day_at = BigInt()
    day_before_id = BigInt()


class SavedViewTable(Table, tablename="saved_views"):
    """A saved view of the log; the whole portal sees shared ones."""

    id = BigSerial(primary_key=True)
    portal_id = BigInt()
    user_id = BigInt()  # the owner
    name = Text()
    is_shared = Boolean()
    parameters = Text()  # filters and order, as the query of `GET /log/rows`
    columns = Text()  # in their order, separated by spaces


class UsageTable(Table, tablename="portal_usage"):
    """How much a portal stores: the count of `counted_at` (0: never) and the growth since.

    `row_count` and `text_bytes` are of its calls and their legs.
    """

    portal_id = BigInt(primary_key=True)
    row_count = BigInt()
    text_bytes = BigInt()
    counted_at = BigInt()
    undecodable = BigInt()
    people = BigInt()
    views = BigInt()
    preferences = BigInt()
    requests = BigInt()
    departments = BigInt()
    memberships = BigInt()
