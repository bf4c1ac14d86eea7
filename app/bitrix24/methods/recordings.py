"""The address of a recording. It is asked for each time, because it expires and may hold a token.

Documentation: api-reference/telephony/voximplant/voximplant-statistic-get.md (RECORD_FILE_ID,
CALL_RECORD_URL); api-reference/crm/timeline/activities/activity-base/crm-activity-get.md (FILES, scope crm;
their form is in crm-activity-list.md beside it); api-reference/disk/file/disk-file-get.md (DOWNLOAD_URL,
scope disk). Which of them a portal gives is a known unknown (docs/known-unknowns.md), so all are tried; those
that need no scope beyond ours come first.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import httpx

from app.bitrix24.errors import REJECTED_TOKEN, BitrixError
from app.bitrix24.incoming.call_end import Undecodable
from app.bitrix24.incoming.statistics import ROW_NAME, read_statistics_row
from app.bitrix24.rest.answers import read_text
from app.bitrix24.rest.portal_client import PortalClient
from app.kit.json_values import read_whole

MAX_FILES = 5
TRANSCRIPT = "crm.activity.call.getTranscript"


class RecordedLeg(NamedTuple):
    """A row of the statistics, by its id and one more mark. A portal that was restored gives out ids again,
    so the id alone may lead to another call by now.

    The mark is the row's CALL_ID. When the call id is ours (`is_named_by_us`), the user and the start of the
    row are compared in its place; None is unknown.
    """

    call_id: str
    statistics_id: int
    user_id: int | None = None
    started_at: int | None = None

    @property
    def is_named_by_us(self) -> bool:
        """Whether the call id is ours: the row's own CALL_ID cannot be read, or its call has too
        many legs.
        """
        return self.call_id == f"{ROW_NAME}{self.statistics_id}"


async def list_addresses(
    client: PortalClient, access_token: str, leg: RecordedLeg, denied: set[str]
) -> AsyncIterator[str]:
    """Addresses that may hold the recording of a leg; each is requested only when the caller takes it.

    Raises BitrixError when the portal rejects the token or refuses the statistics, and Unreachable or
    AddressRefused as `PortalClient.call` does. When the portal refuses another method, only the addresses
    from that method are missing. `denied` holds the methods for which the portal granted no scope: they are
    not called, and a method that the portal refuses because a scope is missing is added.
    """
    row = await _find_row(client, access_token, leg)
    if url := read_text(row.get("CALL_RECORD_URL")).strip():
        yield url
    if activity_id := read_whole(row.get("CRM_ACTIVITY_ID")):
        activity = await _ask(client, access_token, "crm.activity.get", {"id": activity_id}, denied)
        for url in _list_files(activity):
            yield _authorized(client, url, access_token)
    file_id = read_whole(row.get("RECORD_FILE_ID"))
    if file_id:
        file = await _ask(client, access_token, "disk.file.get", {"id": file_id}, denied)
        if url := read_text(file.get("DOWNLOAD_URL")).strip():
            yield url


async def fetch_transcript(
    client: PortalClient, access_token: str, activity_id: int, denied: set[str]
) -> str | None:
    """The transcript that Bitrix24's AI made of a call, by its CRM activity; None when the app can read none.

    Documentation: crm-activity-call-get-transcript.md, beside crm-activity-get.md (scope crm).
    """
    found = await _ask(client, access_token, TRANSCRIPT, {"activityId": activity_id}, denied)
    return read_text(found.get("transcription")).strip() or None


async def _find_row(client: PortalClient, access_token: str, leg: RecordedLeg) -> Mapping[str, Any]:
    conditions: dict[str, int | str] = {"ID": leg.statistics_id}
    if not leg.is_named_by_us:
        conditions["CALL_ID"] = leg.call_id
    answer = await client.call("voximplant.statistic.get", {"FILTER": conditions}, access_token)
    rows = answer.result if isinstance(answer.result, list) else []
    for row in rows:
        if isinstance(row, dict) and _is_row_of(row, leg):
            return row
    return {}


def _is_row_of(row: Mapping[str, Any], leg: RecordedLeg) -> bool:
    """Whether the row is that of the leg. The portal may have dropped the filter silently, so id and marks
    are compared here too.
    """
    try:
        record, _ = read_statistics_row(row)
    except Undecodable:
        return False
    if record.statistics_id != leg.statistics_id:
        return False
    if leg.is_named_by_us:
        return (record.user_id, record.started_at) == (leg.user_id, leg.started_at)
    return record.call_id == leg.call_id


async def _ask(
    client: PortalClient, access_token: str, method: str, parameters: Mapping[str, int], denied: set[str]
) -> Mapping[str, Any]:
    """One object; empty when the portal does not give it, because a scope, a right or the object itself is
    missing.
    """
    if method in denied:
        return {}
    try:
        answer = await client.call(method, parameters, access_token)
    except BitrixError as error:
        if error.code in REJECTED_TOKEN:
            raise
        if error.code == "insufficient_scope":
            denied.add(method)
        return {}
    return answer.result if isinstance(answer.result, dict) else {}


def _list_files(activity: Mapping[str, Any]) -> list[str]:
    files = activity.get("FILES")
    values = list(files.values()) if isinstance(files, dict) else files if isinstance(files, list) else []
    urls = [read_text(file.get("url")).strip() for file in values[:MAX_FILES] if isinstance(file, dict)]
    return [url for url in urls if url]


def _authorized(client: PortalClient, url: str, access_token: str) -> str:
    """The address of an activity's file with the token and the portal's scheme.

    The portal leaves `auth` empty and writes http even when it has https. Both are corrected for a file on
    the portal's own host; the token goes to no other host.
    """
    try:
        target = httpx.URL(client.client_endpoint).join(url)
    except (httpx.InvalidURL, ValueError):
        return url
    own = httpx.URL(client.client_endpoint)
    if target.host != own.host or target.port not in {None, own.port} or target.userinfo:
        return str(target)
    target = target.copy_with(scheme=own.scheme, port=own.port)
    return str(target.copy_set_param("auth", access_token))
