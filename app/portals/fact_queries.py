"""Values of this whole Callbook by name (facts), and leases, by which one process acts alone."""

import msgspec
from piccolo.columns.combination import And, Or

from app.portals.tables import FactTable, LeaseTable


class Fact(msgspec.Struct, frozen=True):
    """A value, and the time (Unix seconds) at which it was written."""

    value: str
    at: int


async def list_facts(prefix: str) -> dict[str, Fact]:
    """The facts whose names begin with `prefix`, by name."""
    rows = await FactTable.select().where(FactTable.name.like(f"{prefix}%"))
    return {row["name"]: Fact(row["value"], row["at"]) for row in rows}


async def read_fact(name: str) -> str | None:
    """The stored value, or None."""
    row = await FactTable.select(FactTable.value).where(FactTable.name == name).first()
    return row["value"] if row else None


async def is_fact(name: str, value: str) -> bool:
    """Whether this is the stored value."""
    return bool(await FactTable.exists().where((FactTable.name == name) & (FactTable.value == value)))


async def is_recent_fact(name: str, value: str, now: int, within_s: int) -> bool:
    """Whether this value is stored and was written within `within_s` seconds before or after `now`.

    A time after `now` comes from a clock that has been set back since. If it is further away than `within_s`,
    it says nothing about the age of the value.
    """
    is_value = And(FactTable.name == name, FactTable.value == value)
    is_recent = And(FactTable.at >= now - within_s, FactTable.at <= now + within_s)
    return bool(await FactTable.exists().where(And(is_value, is_recent)))


async def write_fact_once(name: str, value: str, now: int) -> None:
    """Store the value, unless the name has one."""
    await FactTable.insert(FactTable(name=name, value=value, at=now)).on_conflict(
        target=FactTable.name, action="DO NOTHING"
    )


async def write_fact(name: str, value: str, now: int) -> None:
    """Store the value in place of the one that the name has."""
    await FactTable.insert(FactTable(name=name, value=value, at=now)).on_conflict(
        target=FactTable.name, action="DO UPDATE", values=[FactTable.value, FactTable.at]
    )


async def delete_fact(name: str, value: str) -> None:
    """Delete the fact, unless its value is another by now."""
    await FactTable.delete().where((FactTable.name == name) & (FactTable.value == value))


class Lease(msgspec.Struct, frozen=True):
    """A lease: `holder` alone may act until `expires_at` (Unix seconds by the holder's clock). "" and 0 mean
    no holder.
    """

    holder: str
    expires_at: int


async def take_lease(
    name: str, holder: str, now: int, duration_s: int, abandoned: Lease | None = None
) -> bool:
    """Take or keep the lease until now + duration_s; False while another holder has it.

    `abandoned`: a lease whose holder no longer lives. If it is still the stored one, it is taken before its
    end.
    """
    await LeaseTable.insert(LeaseTable(name=name, holder="", expires_at=0)).on_conflict(
        target=LeaseTable.name, action="DO NOTHING"
    )
    is_free = Or(LeaseTable.holder == holder, LeaseTable.expires_at <= now)
    if abandoned is not None:
        is_same = And(LeaseTable.holder == abandoned.holder, LeaseTable.expires_at == abandoned.expires_at)
        is_free = Or(is_free, is_same)
    taken = await (
        LeaseTable.update({LeaseTable.holder: holder, LeaseTable.expires_at: now + duration_s})
        .where(And(LeaseTable.name == name, is_free))
        .returning(LeaseTable.name)
    )
    return bool(taken)


async def give_lease_back(name: str, holder: str) -> None:
    """End the holder's lease at once, so that another process need not wait until it expires."""
    await LeaseTable.update({LeaseTable.expires_at: 0}).where(
        (LeaseTable.name == name) & (LeaseTable.holder == holder)
    )


async def read_lease(name: str) -> Lease | None:
    """The lease as stored; None if no holder ever took it."""
    row = await LeaseTable.select().where(LeaseTable.name == name).first()
    return Lease(row["holder"], row["expires_at"]) if row else None
