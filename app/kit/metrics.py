"""The figures that /metrics shows, all in one place."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter(
    "callbook_events_total", "Events from portals by what they were answered", ["event", "answer"]
)
BATCH_ROWS = Histogram(
    "callbook_ingest_batch_rows",
    "Events that shared one commit",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
OUTBOUND = Counter("callbook_outbound_total", "Requests to Bitrix24 by kind and outcome", ["kind", "outcome"])
REFUSALS = Counter("callbook_refusals_total", "Requests refused, by code", ["code"])
STREAMS = Gauge("callbook_live_streams", "Open live streams of this process")
AUDIO_STREAMS = Gauge("callbook_audio_streams", "Recordings that this process is sending")
PROBLEMS = Gauge("callbook_problem", "1 while the problem lasts (as in /readyz)", ["problem"])
PAUSES = Counter("callbook_pauses_total", "Portals that were found refusing everything, by state", ["state"])
LIMITED = Counter("callbook_limited_total", "Readings of a portal that told of more than is taken", ["what"])
PORTALS = Gauge(
    "callbook_portals", "Installed portals by how we stand with them (`token` in the API)", ["state"]
)
CONNECTIONS_ENDED = Counter(
    "callbook_connections_ended_total", "Connections that we ended, by why: late, head, room", ["why"]
)
QUOTA_REFUSALS = Counter(
    "callbook_portal_quota_refusals_total", "What was not stored because a portal is at a quota", ["quota"]
)
EVICTED = Counter(
    "callbook_portal_quota_evicted_calls_total", "Unconfirmed calls that were removed to make room for others"
)
AT_QUOTA = Gauge("callbook_portal_quota_reached", "Portals that have reached a quota", ["quota"])
