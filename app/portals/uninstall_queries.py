"""Reading and writing noted uninstalls; nothing else touches the ORM for them."""

from piccolo.columns.combination import And

from app.portals.tables import UninstallCheckTable

Check = UninstallCheckTable
PAUSE_S = 60  # Announcements make us ask no more often than this.


async def note_uninstall(portal_id: int, generation: int, now: int, *, is_clean: bool) -> None:
    """Note that an uninstall was announced; one of an older installation is replaced.

    Of several announcements the most careful counts: anyone in the portal can send one, so CLEAN=1 after
    CLEAN=0 erases no calls. One that comes a minute after the last question is asked about at once.
    """
    await Check.delete().where(And(Check.portal_id == portal_id, Check.generation < generation))
    note = Check(
        portal_id=portal_id,
        generation=generation,
        is_clean=is_clean,
        is_answered=False,
        attempts=0,
        next_at=now,
        claimed_until=0,
    )
    await Check.insert(note).on_conflict(target=Check.portal_id, action="DO NOTHING")
    if not is_clean:
        await Check.update({Check.is_clean: False}).where(Check.portal_id == portal_id)
    is_waiting = And(Check.claimed_until <= now - PAUSE_S, Check.next_at > now)
    await Check.update({Check.attempts: 0, Check.next_at: now}).where(
        And(Check.portal_id == portal_id, is_waiting)
    )


async def claim_check(portal_id: int, now: int, until: int) -> tuple[int, int] | None:
    """Take the right to check, if it is due and nobody else has it: (generation, attempts so far)."""
    rows = await (
        Check.update({Check.claimed_until: until})
        .where(And(Check.portal_id == portal_id, And(Check.claimed_until <= now, Check.next_at <= now)))
        .returning(Check.generation, Check.attempts)
    )
    return (rows[0]["generation"], rows[0]["attempts"]) if rows else None


async def postpone_check(
    portal_id: int, generation: int, attempts: int, now: int, next_at: int, *, is_answered: bool
) -> None:
    """End the claim and ask again then; `is_answered`: the authorization server could be asked this time.

    A note of another generation stays as it is: somebody else's uninstall was announced meanwhile.
    """
    await Check.update(
        {
            Check.attempts: attempts,
            Check.next_at: next_at,
            Check.claimed_until: now,
            Check.is_answered: is_answered,
        }
    ).where(And(Check.portal_id == portal_id, Check.generation == generation))


async def is_answered(portal_id: int, now: int) -> bool:
    """Whether the last check ended with an answer and the next one is not due yet."""
    row = await Check.select().where(Check.portal_id == portal_id).first()
    return bool(row and row["is_answered"] and row["claimed_until"] <= now < row["next_at"])


async def drop_check(portal_id: int, generation: int) -> bool:
    """Forget the note of this generation; whether every announcement wanted the calls erased too."""
    is_same = And(Check.portal_id == portal_id, Check.generation == generation)
    rows = await Check.delete().where(is_same).returning(Check.is_clean)
    return bool(rows and rows[0]["is_clean"])


async def list_due_checks(now: int, limit: int) -> list[int]:
    """Portal ids of all tenants whose announced uninstall is to be checked now."""
    rows = await (
        Check.select(Check.portal_id)
        .where(And(Check.next_at <= now, Check.claimed_until <= now))
        .order_by(Check.next_at)
        .limit(limit)
    )
    return [row["portal_id"] for row in rows]
