"""The parameters of `GET /api/v1/calls` as /schema documents them; `app.calls.log.selection.filters` reads
their values.
"""

from typing import Annotated

from litestar.params import QueryParameter

_Text = str | None

Limit = Annotated[_Text, QueryParameter(description="1 to 500; 50 if absent.")]
Cursor = Annotated[_Text, QueryParameter(description="`next_cursor` of the page before.")]
Since = Annotated[_Text, QueryParameter(name="from", description="First moment or first day, in ISO 8601.")]
Until = Annotated[
    _Text, QueryParameter(name="to", description="Moment before which the period ends, or last day.")
]
Direction = Annotated[_Text, QueryParameter(description="`in`, `out`, `callback` or `info`.")]
Outcome = Annotated[
    _Text,
    QueryParameter(
        description="`answered`, `missed`, `no_answer`, `declined`, `cancelled`, `busy`, `unreachable`, "
        "`failed`, or `unknown` for calls whose outcome is null; several with commas between."
    ),
]
Code = Annotated[
    _Text,
    QueryParameter(
        description="Bitrix24's own code (`486`, `603-S`, `OTHER`); several with commas between. Together "
        "with `outcome`: calls that match either of the two."
    ),
]
Operator = Annotated[_Text, QueryParameter(description="A user id; several with commas between.")]
Department = Annotated[
    _Text,
    QueryParameter(
        description="A department's id: calls of its employees and of the departments below it; several with "
        "commas between."
    ),
]
Line = Annotated[_Text, QueryParameter(description="A portal number, exactly.")]
DurationFrom = Annotated[_Text, QueryParameter(description="Least duration in seconds, or `1:30`.")]
DurationTo = Annotated[_Text, QueryParameter(description="Greatest duration in seconds, or `1:30`.")]
Recording = Annotated[
    _Text, QueryParameter(description="`true` for calls with a recording, `false` for those without.")
]
Client = Annotated[
    _Text, QueryParameter(description="`known` for calls with a CRM card, `unknown` for those without.")
]
Number = Annotated[_Text, QueryParameter(description="Any part of a number, in any spelling.")]
Sort = Annotated[
    _Text,
    QueryParameter(
        description="`-started_at` (default), `started_at`, `-duration_s`, `duration_s`, `-cost` or `cost`; "
        "cost is compared as a number, without regard to its currency."
    ),
]
