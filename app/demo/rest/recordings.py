"""The methods for recordings and transcripts: `disk.file.get`, `crm.activity.get` and
`crm.activity.call.getTranscript`.
"""

from app.demo.core.faults import Refusal
from app.demo.core.statistics import StatisticsRow
from app.demo.rest.rest_call import Method, RestAnswer, RestCall


def get_file(call: RestCall) -> RestAnswer:
    """api-reference/disk/file/disk-file-get.md; the stand-in's Drive holds recordings only."""
    wanted = call.text("id")
    if not any(str(row.record_file_id) == wanted for row in call.state.statistics if row.record_file_id):
        raise Refusal("ERROR_NOT_FOUND", 400, f"Could not find entity with id `{wanted}`")
    url = f"{call.portal.origin}/rest/download.json?auth={call.token.value}&token=disk%7C{wanted}"
    return RestAnswer({"ID": wanted, "NAME": "call.mp3", "TYPE": "file", "DOWNLOAD_URL": url})


def get_activity(call: RestCall) -> RestAnswer:
    """api-reference/crm/timeline/activities/activity-base/crm-activity-get.md; addresses in FILES have an
    empty `auth`, as in crm-activity-list.md beside it.
    """
    row = _find_row(call, call.text("id"))
    if row is None:
        raise Refusal("", 400, "Activity is not found")
    files = []
    if row.record_file_id:
        query = f"fileId={row.record_file_id}&ownerTypeId=6&ownerId={row.crm_activity_id}&auth="
        path = f"/bitrix/tools/crm_show_file.php?{query}"
        files.append({"id": row.record_file_id, "url": f"{call.portal.origin}{path}"})
    return RestAnswer(
        {"ID": call.text("id"), "TYPE_ID": "2", "PROVIDER_ID": "VOXIMPLANT_CALL", "FILES": files}
    )


def get_transcript(call: RestCall) -> RestAnswer:
    """crm-activity-call-get-transcript.md, beside crm-activity-get.md; null while there is none."""
    activity_id = call.text("activityId")
    if _find_row(call, activity_id) is None:
        raise Refusal("NOT_FOUND", 400, "Element not found")
    text = call.state.transcripts.get(activity_id)
    return RestAnswer(None if text is None else {"transcription": text})


def _find_row(call: RestCall, activity_id: str) -> StatisticsRow | None:
    rows = (row for row in call.state.statistics if str(row.crm_activity_id or "") == activity_id)
    return next(rows, None) if activity_id else None


METHODS = {
    "disk.file.get": Method(get_file, ("disk",)),
    "crm.activity.get": Method(get_activity, ("crm",)),
    "crm.activity.call.getTranscript": Method(get_transcript, ("crm",)),
}
