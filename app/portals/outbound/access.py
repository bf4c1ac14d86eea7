"""REST calls with a portal's stored token: the one way for all that runs without a person.

PortalAccess refreshes the pair only after the portal has answered that the token has expired. If a portal
refuses everything, no call is made for a while; then one process asks the portal again (decision 0015).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog

from app.bitrix24.errors import INACTIVE_USER, AddressRefused, BitrixError, BitrixFailure, Unreachable
from app.bitrix24.methods.profile import fetch_profile
from app.bitrix24.rest.portal_client import Answer, BatchAnswer, Command, PortalClient
from app.kit.clock import Clock
from app.kit.messages.errors import Refusal, Unavailable
from app.kit.metrics import PAUSES
from app.portals import queries
from app.portals.contact import AMBIGUOUS, find_state
from app.portals.model import ContactState, Portal
from app.portals.outbound.clients import PortalClients
from app.portals.outbound.moves import Moves
from app.portals.states import contact_queries
from app.portals.tokens.refresh import Refresher, Verdict
from app.portals.tokens.refresh_budget import Cause
from app.portals.vault import StoredPair, Vault

log = structlog.get_logger(__name__)
NEEDS_NEW_PAIR = frozenset({"expired_token", "invalid_token"})
Result = TypeVar("Result")
Work = Callable[[PortalClient, str], Awaitable[Result]]


class PortalNotConnectedError(Refusal):
    """The portal has no pair that works, is uninstalled, or has another installation than the caller's."""

    status = 409
    code = "portal_not_connected"


class PortalUnreachableError(Unavailable):
    """No usable answer came; the caller may try again later."""

    code = "portal_unreachable"


class PortalPausedError(Unavailable):
    """The portal refuses everything for now; Callbook asks it again later. `code` is the contact state."""

    def __init__(self, state: ContactState) -> None:
        super().__init__("This Bitrix24 refuses Callbook for now. Callbook asks again by itself.", code=state)


# The errors of `PortalAccess`, for a caller that goes on without the answer.
ACCESS_FAILURES = (BitrixFailure, PortalNotConnectedError, PortalPausedError, PortalUnreachableError)


class PortalAccess:
    """Calls portals on behalf of the token's owner, an administrator of the portal."""

    def __init__(
        self, clients: PortalClients, vault: Vault, refresher: Refresher, moves: Moves, clock: Clock
    ) -> None:
        self._clients = clients
        self._vault = vault
        self._refresher = refresher
        self._moves = moves
        self._clock = clock

    async def call(self, portal: Portal, method: str, parameters: Mapping[str, object]) -> Answer:
        """The answer to one method; raises the portal's BitrixError, or one of the three errors above."""
        return await self.use(portal, lambda client, token: client.call(method, parameters, token))

    async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
        """The answers to up to 50 methods in one request; it holds the errors of single commands, too."""

        async def work(client: PortalClient, token: str) -> BatchAnswer:
            return _raise_if_refused(await client.batch(commands, token))

        return await self.use(portal, work)

    async def use(self, portal: Portal, work: Work[Result], cause: Cause = Cause.OWN_WORK) -> Result:
        """Do the work with a client and a token; repeat it after a refresh if the token had expired.

        The cause decides how long ago the last purchase must be before another pair is bought. During a pause
        no request is sent; after it the first caller asks the portal with `probe`.
        """
        current = await self._find(portal)
        if current.contact_state != "ok":
            await self.probe(current)
            current = await self._find(current)
        return await self._use(current, work, cause)

    async def probe(self, portal: Portal) -> None:
        """Ask a paused portal once; raises PortalPausedError if it still refuses or its pause lasts."""
        if not await contact_queries.take_probe(portal, self._clock.now()):
            raise PortalPausedError(portal.contact_state)
        try:
            await self._use(portal, fetch_profile, Cause.OWN_WORK)
        except BitrixError as error:
            if error.code != INACTIVE_USER:  # "The owner is dismissed" is an answer too, so the portal works.
                raise
        if await contact_queries.note_answer(portal, self._clock.now()):
            log.info("portal answers again", portal_id=portal.id, state=portal.contact_state)

    async def _use(self, portal: Portal, work: Work[Result], cause: Cause) -> Result:
        try:
            return await self._use_here(portal, work, cause)
        except PortalUnreachableError:
            if not await self._moves.has_moved(portal):
                raise
        return await self._use_here(portal, work, cause)

    async def _use_here(self, portal: Portal, work: Work[Result], cause: Cause) -> Result:
        pair = await self._read_pair(portal)
        try:
            try:
                return await self._work(portal, pair.access_token, work)
            except BitrixError as error:
                if error.code not in NEEDS_NEW_PAIR:
                    raise
            pair = await self._renew(portal, pair, cause)
            return await self._work(portal, pair.access_token, work)
        except BitrixError as error:
            state = find_state(error) or await self._ask_witness(portal, pair, error)
            if state is None:
                raise
            await self._pause(portal, pair, state)
            raise PortalPausedError(state) from error

    async def _ask_witness(self, portal: Portal, pair: StoredPair, error: BitrixError) -> ContactState | None:
        """The state of the portal, if the denied access is about REST as a whole; else None. The answer to
        `profile`, which needs no right, shows it.
        """
        if error.code != AMBIGUOUS:
            return None
        try:
            await self._work(portal, pair.access_token, fetch_profile)
        except BitrixError as refusal:
            return find_state(refusal, is_of_profile=True)
        except (BitrixFailure, PortalUnreachableError, PortalNotConnectedError):
            return None
        return None

    async def _pause(self, portal: Portal, pair: StoredPair, state: ContactState) -> None:
        if await contact_queries.note_refusal(portal, pair.version, state, self._clock.now()):
            PAUSES.labels(state).inc()
            log.warning("portal refuses", portal_id=portal.id, state=state)

    async def use_as(self, portal: Portal, access_token: str, work: Work[Result]) -> Result:
        """Do the work for a visitor, with the token of the visitor's page, which is neither renewed nor kept.

        A refusal of the visitor does not pause the portal. Raises BitrixError, PortalUnreachableError or
        PortalNotConnectedError.
        """
        try:
            return await self._work(portal, access_token, work)
        except PortalUnreachableError:
            if not await self._moves.has_moved(portal, access_token):
                raise
        return await self._work(portal, access_token, work)

    async def _work(self, portal: Portal, access_token: str, work: Work[Result]) -> Result:
        client = await self._open(portal)
        try:
            return await work(client, access_token)
        except Unreachable as error:
            raise PortalUnreachableError(error.reason) from error

    async def _open(self, portal: Portal) -> PortalClient:
        current = await queries.get_portal(portal.id) or portal
        try:
            return self._clients.open(current.client_endpoint, portal.member_id)
        except AddressRefused as error:
            raise PortalNotConnectedError(error.message) from error

    async def _renew(self, portal: Portal, old: StoredPair, cause: Cause) -> StoredPair:
        verdict = await self._refresher.renew(portal.id, old, cause)
        if verdict is Verdict.RENEWED:
            return await self._read_pair(portal)
        if verdict is Verdict.PAUSED:
            state = (await self._find(portal)).contact_state
            raise PortalPausedError(state) if state != "ok" else PortalUnreachableError
        if verdict is Verdict.TOO_SOON:
            raise PortalUnreachableError("the token has expired, and the next one is not due yet")
        if verdict in {Verdict.AWAY, Verdict.SECRET_REJECTED}:
            raise PortalUnreachableError("the authorization server gave no new pair")
        raise PortalNotConnectedError("the portal must be reconnected: an administrator opens Callbook there")

    async def _find(self, portal: Portal) -> Portal:
        """The portal as stored now; raises PortalNotConnectedError if its pair must not be used."""
        current = await queries.get_portal(portal.id)
        if current is None or not current.is_reachable or current.generation != portal.generation:
            raise PortalNotConnectedError("the portal is not connected, or was installed again meanwhile")
        # To another owner of the token the portal shows other rows.
        if current.token_user_id != portal.token_user_id:
            raise PortalNotConnectedError("another administrator's pair was stored meanwhile")
        return current

    async def _read_pair(self, portal: Portal) -> StoredPair:
        pair = await self._vault.read_pair(portal.id)
        if pair is None or pair.generation != portal.generation:
            raise PortalNotConnectedError("the portal has no pair of tokens")
        return pair


def _raise_if_refused(answer: BatchAnswer) -> BatchAnswer:
    """The answer. If the portal refused each command and not the batch itself, raises the first error."""
    errors = list(answer.errors.values())
    if errors and not answer.results and all(find_state(error) for error in errors):
        raise errors[0]
    return answer
