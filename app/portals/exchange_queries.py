"""The log of requests to Bitrix24 that the Marketplace demands: redacted, for a week, in the database."""

from app.bitrix24.exchange import Exchange
from app.kit.metrics import OUTBOUND
from app.portals.tables import RestExchangeTable

KEPT_FOR_S = 7 * 24 * 3600


async def record_exchange(exchange: Exchange) -> None:
    """Keep one exchange; it was redacted when it was made."""
    OUTBOUND.labels(exchange.kind, exchange.error_code or "ok").inc()
    await RestExchangeTable.insert(
        RestExchangeTable(
            member_id=exchange.member_id,
            at=exchange.at,
            kind=exchange.kind,
            host=exchange.host,
            method=exchange.method,
            parameters=exchange.parameters,
            status=exchange.status,
            error_code=exchange.error_code,
            duration_ms=exchange.duration_ms,
            summary=exchange.result_summary,
        )
    )


async def purge_exchanges(now: int) -> None:
    """Delete what is older than a week."""
    await RestExchangeTable.delete().where(RestExchangeTable.at < now - KEPT_FOR_S)


async def erase_exchanges(member_id: str) -> None:
    """Delete what concerns a portal that is gone."""
    await RestExchangeTable.delete().where(RestExchangeTable.member_id == member_id)
