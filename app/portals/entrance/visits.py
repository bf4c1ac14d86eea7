"""Opening the app: proof of the person and the portal, and repairs by the visit of an administrator."""

import hmac
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from app.bitrix24.errors import AddressRefused
from app.bitrix24.incoming.payloads import Page
from app.bitrix24.methods.profile import Profile
from app.bitrix24.rest.oauth import AppInfo
from app.kit.clock import Clock
from app.kit.fairness.budget import RecentlySeen
from app.kit.fairness.shared_reads import SharedReads
from app.kit.fairness.turns import PortalTurns
from app.kit.messages.errors import Forbidden, Unavailable
from app.kit.storage.database import Database
from app.portals import lifecycle, queries
from app.portals.absence import uninstall_queries
from app.portals.absence.tombstones import Tombstones
from app.portals.departure.silence import note_seen
from app.portals.entrance.admission import Claim
from app.portals.entrance.installation import Installer, Opened
from app.portals.entrance.readmission import NotInstalled, Readmission
from app.portals.entrance.setup import SETUP, PortalSetup
from app.portals.entrance.standing import Standing, judge_standing
from app.portals.entrance.verification import Verifier
from app.portals.lifecycle import OfferedPair
from app.portals.model import Portal
from app.portals.outbound.moves import Moves
from app.portals.states import contact_queries
from app.portals.states.addresses import ASK_EVERY_S
from app.portals.states.refusals import PortalRefuses
from app.portals.vault import Vault

log = structlog.get_logger(__name__)


class Opener:
    """Lets verified people in. An administrator's verified pair may replace the stored one
    (`lifecycle.decide_page_pair`).
    """

    def __init__(
        self,
        verifier: Verifier,
        vault: Vault,
        setup: PortalSetup,
        moves: Moves,
        database: Database,
        clock: Clock,
        turns: PortalTurns,
        installer: Installer,
    ) -> None:
        self._readmission = Readmission(verifier, installer, Tombstones(vault, clock))
        # Shared, because strangers cause these reads before they have proven anything.
        self._portals = SharedReads(queries.find_portals)
        self._verifier = verifier
        self._vault = vault
        self._setup = setup
        self._moves = moves
        self._database = database
        self._clock = clock
        self._turns = turns
        # Each is a portal with an address that the server named for it and that Callbook did not store.
        self._left = RecentlySeen(clock)

    async def open_page(self, page: Page, client_address: str) -> Opened:
        """The portal and the person behind `POST /`; raises a Refusal. The page may install a portal that is
        not installed here.
        """
        portal = await self._portals.find(page.member_id)
        if portal is None or not portal.is_installed:
            return await self._readmission.readmit(page, client_address)
        standing = judge_standing(portal, page.application_token, self._vault)
        server = page.server_endpoint or portal.oauth_server
        claim = Claim(
            member_id=page.member_id,
            access_token=page.auth_id,
            server_endpoint=server,
            client_address=client_address,
            standing=standing,
        )
        opened, info = await self._open(portal, claim)
        await self._note_status(opened.portal, info)
        if opened.profile.is_admin:
            await self._adopt_pair(opened, info, claim, page)
            heal = partial(self._setup.heal, opened.portal, claim.access_token)
            self._turns.begin(SETUP, opened.portal.id, heal)
        stored = await queries.get_portal(opened.portal.id)
        if stored is None or stored.generation != opened.portal.generation:
            return opened
        return replace(opened, portal=stored)

    async def _note_status(self, portal: Portal, info: AppInfo) -> None:
        """Store the licence status if it has changed, for example because the customer bought the app after a
        trial.
        """
        if info.status and info.status != portal.license_status:
            changes = {"license_status": info.status}
            await queries.update_generation(portal.id, portal.generation, changes)

    async def open_session(self, member_id: str, access_token: str, client_address: str) -> Opened:
        """The portal and the person behind `POST /session`, which brings no refresh token and so repairs and
        installs nothing.
        """
        portal = await self._portals.find(member_id)
        if portal is None or not portal.is_installed:
            raise NotInstalled
        claim = Claim(
            member_id=member_id,
            access_token=access_token,
            server_endpoint=portal.oauth_server,
            client_address=client_address,
            standing=Standing.KNOWN,
        )
        opened, _ = await self._open(portal, claim)
        return opened

    async def _open(self, portal: Portal, claim: Claim) -> tuple[Opened, AppInfo]:
        info = await self._verifier.prove(claim)
        await note_seen(portal, self._clock.now())
        named = self._find_endpoint(info)
        if named != portal.client_endpoint and f"{portal.member_id} {named}" not in self._left:
            # The kept answer may be older than a move.
            info = await self._verifier.prove(claim, is_fresh=True)
            if not await self._moves.addresses.adopt(portal, info.client_endpoint):
                self._left.remember(f"{portal.member_id} {named}", ASK_EVERY_S)
            portal = await queries.get_portal(portal.id) or portal
        try:
            profile = await self._identify(portal, claim)
        except Unavailable:
            if not await self._moves.has_moved(portal, claim.access_token):
                raise
            portal = await queries.get_portal(portal.id) or portal
            profile = await self._identify(portal, claim)
        return Opened(await self._note_answer(portal, profile), profile), info

    async def _identify(self, portal: Portal, claim: Claim) -> Profile:
        """The person. If the portal refuses everyone, this is noted, so that no other work asks the portal in
        vain.
        """
        try:
            return await self._verifier.identify(portal.client_endpoint, claim)
        except PortalRefuses as refusal:
            if refusal.state != "restricted" and portal.contact_state == "ok":
                await contact_queries.note_refusal(
                    portal, portal.token_version, refusal.state, self._clock.now()
                )
            raise

    async def _note_answer(self, portal: Portal, profile: Profile) -> Portal:
        """End the pause of a portal that has identified a person; return the portal as stored then. A
        restriction ends only if this person is the owner of the stored pair.
        """
        is_proof = portal.contact_state != "restricted" or profile.user_id == portal.token_user_id
        if portal.contact_state == "ok" or not is_proof:
            return portal
        await contact_queries.note_answer(portal, self._clock.now())
        return await queries.get_portal(portal.id) or portal

    def _find_endpoint(self, info: AppInfo) -> str:
        try:
            return self._moves.addresses.check(info.client_endpoint)
        except AddressRefused as error:
            raise Forbidden(error.message, code=error.code) from error

    async def _adopt_pair(self, opened: Opened, info: AppInfo, claim: Claim, page: Page) -> None:
        if not page.refresh_id:
            return
        pair = OfferedPair(
            access_token=page.auth_id,
            refresh_token=page.refresh_id,
            expires_in_s=page.auth_expires_in,
            application_token=page.application_token,
            language=page.lang,
        )
        offer = lifecycle.build_installation(
            info, opened.profile, opened.portal.client_endpoint, pair, self._clock.now()
        )
        async with self._database.transaction():
            row = await queries.lock_row(claim.member_id, is_sqlite=self._database.is_sqlite)
            if row is None or row["generation"] != opened.portal.generation:
                return
            changes = lifecycle.decide_page_pair(row, offer, self._clock.now())
            sealed = _without_known_token(row, self._vault.seal_changes(row["id"], changes))
            if sealed:
                await queries.update_locked(row["id"], sealed)
                if "refresh_token" in sealed:
                    await uninstall_queries.drop_unannounced(row["id"])
                log.info("taken from an admin's page", portal_id=row["id"], columns=sorted(sealed))


def _without_known_token(row: queries.Row, sealed: dict[str, Any]) -> dict[str, Any]:
    """The changes, without the application token if that token is stored already, because every page may
    bring it.
    """
    offered, stored = sealed.get("application_token_hash"), row["application_token_hash"]
    if offered is None or stored is None or not hmac.compare_digest(offered, stored):
        return sealed
    known = ("application_token_hash", "application_token_dated_at")
    return {column: value for column, value in sealed.items() if column not in known}
