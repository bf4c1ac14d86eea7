"""The figures that /metrics shows, all in one place."""

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("callbook_events_total", "Events from portals, by the answer they got", ["event", "answer"])
BATCH_ROWS = Histogram(
    "callbook_ingest_batch_rows",
    "Events that shared one commit",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
OUTBOUND = Counter(
    "callbook_outbound_total", "Requests to Bitrix24, by kind and outcome", ["kind", "outcome"]
)
REFUSALS = Counter("callbook_refusals_total", "Requests refused, by code", ["code"])
STREAMS = Gauge("callbook_live_streams", "Open live streams of this process")
AUDIO_STREAMS = Gauge("callbook_audio_streams", "Recordings that this process is sending")
PROBLEMS = Gauge("callbook_problem", "1 while the problem lasts (as in /readyz)", ["problem"])
PAUSES = Counter("callbook_pauses_total", "Portals found to refuse every request, by state", ["state"])
LIMITED = Counter("callbook_limited_total", "Answers of portals that held more than we take", ["what"])
PORTALS = Gauge(
    "callbook_portals", "Installed portals, by the state of our access (`token` in the API)", ["state"]
)
CONNECTIONS_ENDED = Counter(
    "callbook_connections_ended_total", "Connections that we ended, by reason: late, head, room", ["why"]
)
QUOTA_REFUSALS = Counter(
    "callbook_portal_quota_refusals_total", "Rows not stored because a portal has reached a quota", ["quota"]
)
EVICTED = Counter(
    "callbook_portal_quota_evicted_calls_total", "Unconfirmed calls that were removed to make room for others"
)
AT_QUOTA = Gauge("callbook_portal_quota_reached", "Portals that have reached a quota", ["quota"])
