"""REST clients for portals; all clients of a process share its connections and its rate bucket."""

from dataclasses import dataclass

import httpx

from app.bitrix24.rest.bucket import RateBucket
from app.bitrix24.rest.exchange import Record
from app.bitrix24.rest.portal_client import PortalClient
from app.bitrix24.transport.address_policy import AddressPolicy
from app.kit.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalClients:
    """Makes a client for a REST root; raises AddressRefused if the root may not be contacted."""

    http: httpx.AsyncClient
    policy: AddressPolicy
    bucket: RateBucket
    record: Record
    clock: Clock

    def open(self, client_endpoint: str, member_id: str) -> PortalClient:
        """A client for this portal, which need not be closed."""
        return PortalClient(
            self.http, self.policy, client_endpoint, self.bucket, self.record, self.clock, member_id
        )
