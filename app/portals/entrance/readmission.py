"""An administrator opens the app in a portal that is installed at Bitrix24, but not here.

This happens after a restored backup, after wrong answers of the authorization server, or after an erasure for
silence. The page brings all that an installation needs, and the authorization server says whether the app is
installed (decision 0024). Callbook asks the server once, and the attempt counts as a stranger's, so that
known portals lose none of theirs.
"""

from functools import partial

import structlog

from app.bitrix24.incoming.payloads import Page
from app.kit.messages.errors import Forbidden
from app.kit.messages.words import N_
from app.portals.absence.tombstones import Tombstones
from app.portals.entrance.admission import Claim
from app.portals.entrance.installation import Installer, Opened
from app.portals.entrance.standing import Standing
from app.portals.entrance.verification import Verifier

log = structlog.get_logger(__name__)
NOT_THERE = frozenset({"token_rejected", "forgotten"})


class NotInstalled(Forbidden):
    """The app is not installed in this portal, so no page of it opens."""

    code = "not_installed"
    message = N_(
        "Callbook is not installed in this Bitrix24. An administrator can install it from the Market."
    )


class Readmission:
    """Installs portals that are installed at Bitrix24, by the page of an administrator."""

    def __init__(self, verifier: Verifier, installer: Installer, tombstones: Tombstones) -> None:
        self._verifier = verifier
        self._installer = installer
        self._tombstones = tombstones

    async def readmit(self, page: Page, client_address: str) -> Opened:
        """The portal as installed now, and the administrator; raises NotInstalled, or another Refusal.

        Callbook asks nothing if the page has no refresh token, or if only the installer page can install the
        portal.
        """
        if not page.refresh_id or await self._tombstones.is_barred(page.member_id):
            raise NotInstalled
        server = self._verifier.choose_server(page.server_endpoint)
        claim = Claim(
            member_id=page.member_id,
            access_token=page.auth_id,
            server_endpoint=server,
            client_address=client_address,
            standing=Standing.STRANGER,
        )
        try:
            opened = await self._install(page, claim)
        except Forbidden as refusal:
            if refusal.code in NOT_THERE:
                raise NotInstalled from refusal
            raise
        log.info("readmitted", portal_id=opened.portal.id, source=client_address)
        return opened

    async def _install(self, page: Page, claim: Claim) -> Opened:
        info = await self._verifier.prove(claim)
        if not info.is_installed:
            raise NotInstalled
        is_wanted = partial(self._is_wanted, page.member_id)
        return await self._installer.install_proven(page, claim, info, is_wanted)

    async def _is_wanted(self, member_id: str) -> bool:
        """Whether the portal may be installed. The caller tests this again under the row's lock, because the
        vendor may have forgotten the portal during the questions.
        """
        return not await self._tombstones.is_barred_now(member_id)
