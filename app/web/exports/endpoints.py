"""The exports: files for programs (`/api/v1/calls.csv`, `.xlsx`), and the same files with progress for the
tab.

A failure before the first bytes is an ordinary refusal. A later failure cuts the connection. An HTTP client
then notices that the answer has no end, and the tab notices that the last line is missing.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import tzinfo
from typing import NamedTuple

import msgspec
import structlog
from litestar import get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from app.calls.log.columns import COLUMNS, Column
from app.calls.log.export_batches import read_all
from app.calls.log.logged_calls import LoggedCall, Viewer, count_calls, list_legs
from app.calls.log.selection.filters import ListRequest
from app.calls.log.selection.parameters import join_lists, parse_choices
from app.kit.fairness.query_turns import QueryTooSlowError
from app.kit.messages.words import load_words
from app.people.department_queries import find_department_names
from app.web.display.people_names import system_user_label
from app.web.display.presenter import to_local
from app.web.exports.csv_file import write_csv
from app.web.exports.file_columns import Addressee, Known, Sheet, choose_columns, make_columns
from app.web.exports.paced_stream import PacedStream
from app.web.exports.pieces import Piece, plain, with_progress
from app.web.exports.xlsx_file import write_xlsx
from app.web.http.parts import GivenParts, WebParts
from app.web.http.requests import BEARER, AnyRequest, GivenSession
from app.web.http.security import data_headers
from app.web.http.sessions import LIFETIME_S, Session
from app.web.log.log_view import choose_zone, read_list_request

log = structlog.get_logger(__name__)
Write = Callable[[AsyncIterator[list[LoggedCall]], Sheet], AsyncIterator[Piece]]


class Format(NamedTuple):
    """One kind of file: its media type, and the function that writes it."""

    media_type: str
    write: Write


XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = {
    "csv": Format("text/csv; charset=utf-8", write_csv),
    "xlsx": Format(XLSX, write_xlsx),
}


class Asked(NamedTuple):
    """The request for an export."""

    format: str
    request: ListRequest
    columns: tuple[Column, ...]
    zone: tzinfo
    headers: dict[str, str]


@get("/api/v1/calls.csv", tags=["calls"], security=BEARER, media_type="text/csv")
async def export_csv(request: AnyRequest, parts: GivenParts, session: GivenSession) -> PacedStream:
    """All calls of GET /api/v1/calls with the same parameters; `limit` and `cursor` do not count.

    `columns` names columns of the log in the wanted order, with commas between; without it all are there.
    """
    return await _answer(parts, session, _read(request, parts, session, "csv"))


@get("/api/v1/calls.xlsx", tags=["calls"], security=BEARER, media_type=XLSX)
async def export_xlsx(request: AnyRequest, parts: GivenParts, session: GivenSession) -> PacedStream:
    """As `calls.csv`; at most 1,048,575 calls, because a sheet holds no more."""
    return await _answer(parts, session, _read(request, parts, session, "xlsx"))


@get("/log/export/{kind:str}", include_in_schema=False)
async def export_with_progress(
    kind: FromPath[str], request: AnyRequest, parts: GivenParts, session: GivenSession
) -> PacedStream:
    """An export for the tab, by the tab's filters: parts of the file, each after a line of progress."""
    if kind not in FORMATS:
        raise NotFoundException("There is no such kind of file.")
    asked = _read(request, parts, session, kind)
    pieces = await _begin(parts, session, asked)
    total = await _count(session, asked, pieces)
    headers = asked.headers | {"X-Accel-Buffering": "no"}
    return PacedStream(with_progress(pieces, total), media_type="application/octet-stream", headers=headers)


async def _answer(parts: WebParts, session: Session, asked: Asked) -> PacedStream:
    pieces = await _begin(parts, session, asked)
    return PacedStream(plain(pieces), media_type=FORMATS[asked.format].media_type, headers=asked.headers)


def _read(request: AnyRequest, parts: WebParts, session: Session, kind: str) -> Asked:
    """The request in the parameters. Raises BadFilter."""
    parameters, now = join_lists(request.query_params.multi_items()), parts.clock.now()
    zone = choose_zone(session, parameters)
    today = to_local(now, zone).date().isoformat()
    headers = {**data_headers(), "Content-Disposition": f'attachment; filename="callbook-{today}.{kind}"'}
    columns = parse_choices(parameters, "columns", COLUMNS)
    return Asked(
        format=kind,
        request=read_list_request(session, parameters, now),
        columns=columns,
        zone=zone,
        headers=headers,
    )


async def _count(session: Session, asked: Asked, pieces: AsyncGenerator[Piece]) -> int | None:
    """How many calls the export has; None if counting takes too long, which does not stop the export.

    A count reads every call, so this process counts only when the export has its place.
    """
    try:
        return await count_calls(session.viewer, asked.request.filters)
    except QueryTooSlowError:
        return None
    except BaseException:
        await pieces.aclose()
        raise


async def _begin(parts: WebParts, session: Session, asked: Asked) -> AsyncGenerator[Piece]:
    """The pieces of the file. The first piece is made before this function returns, so that the client of an
    export that cannot begin reads a refusal, not a cut connection.

    From here on the caller reads the pieces to their end or closes them; if the caller forgets them, Python
    closes them.
    """
    pieces = _write(parts, session, asked)
    first = await anext(pieces)
    return _resume(first, pieces)


async def _resume(first: Piece, rest: AsyncGenerator[Piece]) -> AsyncGenerator[Piece]:
    try:
        yield first
        async for piece in rest:
            yield piece
    finally:
        await rest.aclose()


async def _write(parts: WebParts, session: Session, asked: Asked) -> AsyncGenerator[Piece]:
    viewer = session.viewer
    known = Known({}, {}, {})
    addressee = Addressee(load_words(session.locale), asked.zone, known, session.settings.line_names)
    sheet = Sheet(choose_columns(make_columns(addressee), asked.columns), session.locale)
    with parts.export_places.take(viewer.portal_id, viewer.user_id):
        batches = _learn(parts, session, sheet, known, _read_calls(parts, session, asked.request))
        rows = 0
        async for piece in FORMATS[asked.format].write(batches, sheet):
            rows = piece.rows
            yield piece
        log.info("exported", portal_id=viewer.portal_id, format=asked.format, rows=rows)


def _read_calls(parts: WebParts, session: Session, request: ListRequest) -> AsyncIterator[list[LoggedCall]]:
    """The calls in batches. The export has a session of its own, which begins with it and ends with an
    uninstall like any session.
    """
    claims = msgspec.structs.replace(session.claims, expires_at=parts.clock.now() + LIFETIME_S)

    async def admit() -> Viewer:
        return (await parts.sessions.renew(claims)).viewer

    return read_all(admit, request)


async def _learn(
    parts: WebParts,
    session: Session,
    sheet: Sheet,
    known: Known,
    batches: AsyncIterator[list[LoggedCall]],
) -> AsyncIterator[list[LoggedCall]]:
    """The same calls in batches. Before each, `known` gets the legs, names and departments of its calls; legs
    that do not fit at once split the batch.
    """
    label = system_user_label(session.locale)
    asked: set[int] = set()
    async for batch in batches:
        waiting = batch
        while waiting:
            calls, waiting = waiting, []
            user_ids = {call.user_id for call in calls if call.user_id is not None}
            if sheet.has("legs"):
                known.legs.clear()
                known.legs.update(await list_legs(session.viewer, calls))
                calls, waiting = calls[: len(known.legs)], calls[len(known.legs) :]
                user_ids |= {
                    leg.user_id for legs in known.legs.values() for leg in legs if leg.user_id is not None
                }
            if unknown := user_ids - asked:
                known.names.update(await parts.people.find_names(session.portal, unknown, label))
                if sheet.has("department"):
                    known.departments.update(await find_department_names(session.portal.id, unknown))
                asked |= unknown
            yield calls


HANDLERS = [export_csv, export_xlsx, export_with_progress]
