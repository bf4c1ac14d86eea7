"""Queries on portals that only an installation brings back, by the keyed hashes of their `member_id`s."""

from collections.abc import Collection

from piccolo.columns.combination import And, Or

from app.portals.tables import ForgottenPortalTable


async def bar(member_hash: str, at: int, until: int | None) -> None:
    """Remember the portal until `until`, or for good (None). A note for good is never shortened."""
    note = ForgottenPortalTable(member_hash=member_hash, at=at, until=until)
    await ForgottenPortalTable.insert(note).on_conflict(
        target=ForgottenPortalTable.member_hash, action="DO NOTHING"
    )
    is_passing = And(
        ForgottenPortalTable.member_hash == member_hash, ForgottenPortalTable.until.is_not_null()
    )
    await ForgottenPortalTable.update({ForgottenPortalTable.at: at, ForgottenPortalTable.until: until}).where(
        is_passing
    )


async def find_barred(member_hashes: Collection[str], now: int) -> dict[str, bool]:
    """The portals among these that are still remembered, each with whether it is for good."""
    is_one = ForgottenPortalTable.member_hash.is_in(list(member_hashes))
    rows = await ForgottenPortalTable.select().where(And(is_one, _lasts(now)))
    return {row["member_hash"]: row["until"] is None for row in rows}


async def is_barred(member_hash: str, now: int) -> bool:
    """Whether the portal is still remembered."""
    is_one = ForgottenPortalTable.member_hash == member_hash
    return bool(await ForgottenPortalTable.exists().where(And(is_one, _lasts(now))))


async def is_forgotten(member_hash: str) -> bool:
    """Whether the portal is remembered for good."""
    is_one = ForgottenPortalTable.member_hash == member_hash
    return bool(await ForgottenPortalTable.exists().where(And(is_one, ForgottenPortalTable.until.is_null())))


def _lasts(now: int) -> Or:
    return Or(ForgottenPortalTable.until.is_null(), ForgottenPortalTable.until > now)


async def lift(member_hash: str) -> bool:
    """Delete the note; return whether there was one."""
    is_one = ForgottenPortalTable.member_hash == member_hash
    return bool(await ForgottenPortalTable.delete().where(is_one).returning(ForgottenPortalTable.member_hash))


async def purge(now: int) -> None:
    """Delete the notes, of all tenants, whose time is over."""
    await ForgottenPortalTable.delete().where(
        And(ForgottenPortalTable.until.is_not_null(), ForgottenPortalTable.until <= now)
    )
