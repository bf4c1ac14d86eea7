"""Recording a call-end event: verified, then durable; only a hint while the portal's token is unknown.

Documentation: api-reference/telephony/voximplant/events/on-voximplant-call-end.md.
"""

from collections.abc import Mapping
from enum import Enum

from app.bitrix24.incoming.call_end import CallRecord, Undecodable, decode_call_end
from app.bitrix24.incoming.payloads import Event
from app.calls.intake.group_commit import Ingest, UnstorableError
from app.calls.oddities.undecodable_events import check_room_for_undecodable, keep_undecodable
from app.calls.statistics.lookups import Lookups
from app.calls.statistics.progress.evidence import Evidence
from app.kit.calendar import has_date
from app.kit.clock import Clock
from app.kit.messages.errors import Unavailable
from app.kit.messages.repeats import Repeats
from app.kit.storage.database import DATABASE_ERRORS
from app.portals.departure.silence import is_seeing_due, note_seen
from app.portals.directory import Directory, Sender
from app.portals.model import Portal
from app.portals.settings.quotas import QuotaReached, Quotas

ATTEMPTS = 2  # The second one reads the portal again: a reinstallation may have changed its token.

REFUSED_BY_DATABASE = "the database refuses a value"


class Answer(Enum):
    """The answer to the portal."""

    STORED = "stored"
    PENDING = "pending"
    REFUSED = "refused"


class Recorder:
    """Takes call-end events; `record` returns STORED only after the commit."""

    def __init__(
        self,
        directory: Directory,
        ingest: Ingest,
        lookups: Lookups,
        evidence: Evidence,
        quotas: Quotas,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._ingest = ingest
        self._lookups = lookups
        self._evidence = evidence
        self._quotas = quotas
        self._clock = clock
        self.undecoded = Repeats("event not decoded", "portal_id", "reason")

    async def record(self, event: Event) -> Answer:
        """Verify and store one event; the answer. Raises Unavailable when it cannot be stored now."""
        for _ in range(ATTEMPTS):
            known = await self._recognise(event)
            if known is None:
                return Answer.REFUSED
            answer = await self._record(event, known)
            if answer is not None:
                return answer
            self._directory.forget(event.member_id)
        return Answer.REFUSED

    async def _recognise(self, event: Event) -> Sender | Portal | None:
        try:
            return await self._directory.recognise(event.member_id, event.application_token)
        except DATABASE_ERRORS:  # The event may be of any portal, and portals send no event again.
            self._evidence.note_all_missing()
            raise

    async def _record(self, event: Event, known: Sender | Portal) -> Answer | None:
        """The answer, or None when the portal's row has changed since the event was verified.

        From here on the portal is known, so an error is evidence for this portal and for no other.
        """
        portal = known.portal if isinstance(known, Sender) else known
        try:
            if not isinstance(known, Sender):
                return await self._hint(known)
            return Answer.STORED if await self._store(known, event) else None
        except (Unavailable, *DATABASE_ERRORS):
            self._evidence.note_missing(portal.id)
            raise

    async def _store(self, sender: Sender, event: Event) -> bool:
        """Store the event, or keep its data where it cannot be decoded. Returns False when the state or the
        token hash in the portal's row has changed since the event was verified.
        """
        portal_id = sender.portal.id
        data = event.data or {}
        try:
            record = decode_call_end(data)
            started_at = _guess_start(event, record) if record.started_at is None else None
            is_stored = await self._ingest.store(portal_id, sender.token_hash, record, started_at)
        except Undecodable as error:
            return await self._keep(sender, event.name, data, error.reason)
        except UnstorableError:
            return await self._keep(sender, event.name, data, REFUSED_BY_DATABASE)
        except QuotaReached:
            await self._note_seen(sender)
            raise
        if is_stored:
            self._evidence.note_call(portal_id)
        return is_stored

    async def _keep(self, sender: Sender, name: str, data: Mapping[str, object], reason: str) -> bool:
        portal_id = sender.portal.id
        self.undecoded.note(lambda: (portal_id, reason))
        self._evidence.note_missing(portal_id)
        await self._note_seen(sender)
        await check_room_for_undecodable(portal_id, self._quotas)
        return await keep_undecodable(portal_id, sender.token_hash, name, data, reason, self._clock.now())

    async def _note_seen(self, sender: Sender) -> None:
        """Note, once a day, that the portal is there: even an event that is not stored shows that."""
        if is_seeing_due(sender.portal, self._clock.now()):
            await note_seen(sender.portal, self._clock.now())
            self._directory.forget(sender.portal.member_id)

    async def _hint(self, portal: Portal) -> Answer:
        """Answer an event that the portal's token does not prove; it is not stored. While the token of an
        installed portal is not known yet, the event causes one look into the statistics. Else it is refused.
        """
        if not portal.is_installed:
            return Answer.REFUSED
        if portal.application_token_hash is not None:
            self._evidence.note_rejected(portal.id)
            return Answer.REFUSED
        await self._lookups.want(portal)
        return Answer.PENDING


def _guess_start(event: Event, record: CallRecord) -> int | None:
    """The start of a call, in Unix seconds: the moment when its event was sent, less its length, because the
    portal sends the event when the call ends. None if the event does not say when it was sent, or if the
    result is no date.
    """
    if event.sent_at is None:
        return None
    started_at = event.sent_at - (record.duration_s or 0)
    return started_at if has_date(started_at) else None
