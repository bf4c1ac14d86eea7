"""Re-encryption under the current key: it runs online, and an interrupted run can be repeated."""

from app.kit.clock import Clock
from app.kit.crypto import Keyring
from app.portals import pending_queries, queries
from app.portals.fact_queries import read_fact, write_fact
from app.portals.pending_queries import seal_context
from app.portals.vault import HASH_KEY, Vault


async def rotate_keys(vault: Vault, clock: Clock) -> tuple[int, int]:
    """Seal every secret with the current key; return how many were sealed again and how many need another
    run.

    A pair that was refreshed in the meantime is left as it is: the refresh sealed it with the key of its
    process.
    """
    rotated, left = await _rotate_pending(vault.keyring)
    sealed = await read_fact(HASH_KEY)
    if sealed is not None and not vault.keyring.is_current(sealed):
        await write_fact(
            HASH_KEY, vault.keyring.seal(vault.keyring.open(sealed, HASH_KEY), HASH_KEY), clock.now()
        )
        rotated += 1
    for portal in await queries.list_portals():
        if await _is_current(vault, portal.id):
            continue
        if await _rotate_pair(vault, portal.id):
            rotated += 1
        else:
            left += 1
    return rotated, left


async def _rotate_pending(keyring: Keyring) -> tuple[int, int]:
    """As `rotate_keys`, for installations that wait to be verified. An installation that was replaced in the
    meantime is left as it is.
    """
    rotated, left = 0, 0
    for row in await pending_queries.list_sealed():
        member_id, origin, sealed = row["member_id"], row["origin"], row["sealed"]
        if keyring.is_current(sealed):
            continue
        context = seal_context(member_id, origin)
        sealed_again = keyring.seal(keyring.open(sealed, context), context)
        is_rotated = await pending_queries.replace_sealed(member_id, origin, sealed, sealed_again)
        rotated, left = rotated + is_rotated, left + (not is_rotated)
    return rotated, left


async def _is_current(vault: Vault, portal_id: int) -> bool:
    row = await queries.read_row(portal_id)
    if row is None:
        return True
    sealed = (row["access_token"], row["refresh_token"])
    return all(value is None or vault.keyring.is_current(value) for value in sealed)


async def _rotate_pair(vault: Vault, portal_id: int) -> bool:
    pair = await vault.read_pair(portal_id)
    if pair is None:
        return True
    changes = vault.seal_changes(
        portal_id, {"access_token": pair.access_token, "refresh_token": pair.refresh_token}
    )
    return await queries.update_unchanged(portal_id, pair.generation, pair.version, changes)
