import asyncio

import pytest

from app.demo.acts.stand_in_portal import StandInPortal
from app.demo.stand_in import StandIn
from app.kit.crypto import CannotDecryptError, Keyring, generate_key
from app.portals import queries
from app.portals.tokens.key_rotation import rotate_keys
from app.portals.tokens.refresh_budget import Cause
from app.portals.vault import Vault
from tests.databases import KEYS
from tests.portals.portal_rows import read_portal
from tests.running import Callbook, FakeClock

OLD_ID = "test"  # The key in tests.databases.KEYS.
NEW = generate_key("new")
BOTH = Keyring.parse(f"{NEW},{KEYS}")


@pytest.fixture
async def installed(callbook: Callbook, stand_in: StandIn) -> list[StandInPortal]:
    await stand_in.add_portal()
    for portal in stand_in.portals:
        portal.add_app()
        await portal.install(callbook.url)
    await callbook.settle()
    return stand_in.portals


@pytest.fixture
async def vault(callbook: Callbook, clock: FakeClock) -> Vault:
    """The vault of another process, which has both keys and seals with the new one."""
    vault = Vault(BOTH, clock)
    await vault.open()
    return vault


async def list_key_ids(callbook: Callbook) -> set[str]:
    """The ids of all keys that any stored secret is sealed with."""
    rows = await callbook.run_sql("SELECT access_token, refresh_token FROM portals")
    sealed = [value for row in rows for value in row.values() if value is not None]
    sealed += [
        row["value"] for row in await callbook.run_sql("SELECT value FROM facts WHERE name LIKE '%key'")
    ]
    return {value.partition(".")[0] for value in sealed}


async def read_pairs(vault: Vault, portals: list[StandInPortal]) -> list[tuple[str, str]]:
    pairs = []
    for portal in portals:
        found = await queries.find_portal(portal.member_id)
        assert found is not None
        pair = await vault.read_pair(found.id)
        assert pair is not None
        pairs.append((pair.access_token, pair.refresh_token))
    return pairs


async def test_afterwards_the_old_key_can_go_and_everything_opens(
    callbook: Callbook, installed: list[StandInPortal], vault: Vault, clock: FakeClock
) -> None:
    before = await read_pairs(vault, installed)
    assert await rotate_keys(vault, clock) == (4, 0)
    assert await list_key_ids(callbook) == {"new"}
    assert await rotate_keys(vault, clock) == (0, 0)
    alone = Vault(Keyring.parse(NEW), clock)
    await alone.open()
    assert await read_pairs(alone, installed) == before
    for portal in installed:
        stored = await queries.find_portal(portal.member_id)
        assert stored is not None
        assert alone.hash_application_token(portal.application_token) == stored.application_token_hash
    for portal in installed:  # The process that has only the old key goes on taking events.
        assert (await portal.end_call()).responses[0].status_code == 200


@pytest.mark.quick
async def test_what_was_interrupted_is_finished_by_another_run(
    callbook: Callbook,
    installed: list[StandInPortal],
    vault: Vault,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = await read_pairs(vault, installed)
    written, write = asyncio.Event(), queries.update_unchanged

    async def write_once_then_hang(*args: object) -> bool:
        if written.is_set():
            await asyncio.Event().wait()
        written.set()
        return await write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "update_unchanged", write_once_then_hang)
    rotating = asyncio.create_task(rotate_keys(vault, clock))
    await written.wait()
    rotating.cancel()
    await asyncio.gather(rotating, return_exceptions=True)
    monkeypatch.undo()
    assert await list_key_ids(callbook) == {OLD_ID, "new"}
    assert await read_pairs(vault, installed) == before
    rotated, left = await rotate_keys(vault, clock)
    assert (rotated > 0, left) == (True, 0)
    assert await list_key_ids(callbook) == {"new"}
    assert await read_pairs(vault, installed) == before


async def test_a_refresh_in_between_keeps_its_pair_and_asks_for_another_run(
    callbook: Callbook,
    installed: list[StandInPortal],
    vault: Vault,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, refreshed = vault.read_pair, installed[0]

    async def read_then_refresh(portal_id: int) -> object:
        pair = await read(portal_id)
        portal = await queries.get_portal(portal_id)
        assert portal is not None
        if pair is not None and portal.member_id == refreshed.member_id:
            # A process with the old key seals the new pair.
            await callbook.parts.refresher.renew(portal_id, pair, Cause.OWN_WORK)
        return pair

    monkeypatch.setattr(Vault, "read_pair", lambda self, portal_id: read_then_refresh(portal_id))
    assert await rotate_keys(vault, clock) == (3, 1)
    monkeypatch.undo()
    newer = await read_pairs(vault, installed)
    assert newer[0][1] in refreshed.state.tokens
    assert not refreshed.state.tokens[newer[0][1]].is_spent
    assert await rotate_keys(vault, clock) == (1, 0)
    assert await list_key_ids(callbook) == {"new"}
    assert await read_pairs(vault, installed) == newer


async def test_an_uninstalled_portal_has_nothing_to_seal(
    installed: list[StandInPortal], vault: Vault, clock: FakeClock
) -> None:
    await installed[0].uninstall(clean=False)
    assert await rotate_keys(vault, clock) == (3, 0)


@pytest.mark.quick
@pytest.mark.parametrize("column", ["access_token", "refresh_token"])
async def test_a_value_copied_to_another_portal_or_column_does_not_open(
    callbook: Callbook, installed: list[StandInPortal], vault: Vault, column: str
) -> None:
    one, other = [await read_portal(callbook, portal.member_id) for portal in installed[:2]]
    await queries.update_locked(other["id"], {column: one[column]})
    with pytest.raises(CannotDecryptError):
        await vault.read_pair(other["id"])
    swapped = {"access_token": one["refresh_token"], "refresh_token": one["access_token"]}
    await queries.update_locked(one["id"], swapped)
    with pytest.raises(CannotDecryptError):
        await vault.read_pair(one["id"])
