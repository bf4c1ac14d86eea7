"""The vault seals, hashes and opens a portal's secrets; no other module handles the stored ones."""

import os
from dataclasses import dataclass, field
from typing import Any

from app.kit.clock import Clock
from app.kit.crypto import CannotDecryptError, Keyring, keyed_hash
from app.portals import queries
from app.portals.fact_queries import read_fact, write_fact_once

HASH_KEY = "application_token_hash_key"


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A portal's pair in plain text, with the generation and version that it belongs to."""

    generation: int
    version: int
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


class Vault:
    """Seals pairs with the keyring; hashes application tokens with a key that is itself sealed in the
    database.

    The hash key never changes, so that rotating the encryption keys locks no portal out (decision 0003).
    """

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        self.keyring = keyring
        self._clock = clock
        self._hash_key: bytes | None = None

    async def open(self) -> None:
        """Read the hash key that `create_hash_key` made; raise CannotDecryptError if it is missing, or sealed
        with other keys.
        """
        sealed = await read_fact(HASH_KEY)
        if sealed is None:
            raise CannotDecryptError("the database holds no hash key: run `python -m app migrate`")
        self._hash_key = self.keyring.open(sealed, HASH_KEY)

    async def create_hash_key(self) -> None:
        """Make the hash key at the first migration; later ones keep it."""
        await write_fact_once(HASH_KEY, self.keyring.seal(os.urandom(32), HASH_KEY), self._clock.now())

    def hash_application_token(self, application_token: str) -> str:
        """The keyed hash (HMAC-SHA256, hex) under which a portal's `application_token` is stored."""
        return self._hash(application_token)

    def hash_member_id(self, member_id: str) -> str:
        """The keyed hash under which a forgotten portal is remembered; it does not reveal the portal."""
        return self._hash(f"member_id:{member_id}")

    def _hash(self, text: str) -> str:
        if self._hash_key is None:
            raise RuntimeError("the vault is not open")
        return keyed_hash(self._hash_key, text)

    def seal_changes(self, portal_id: int, changes: dict[str, Any]) -> dict[str, Any]:
        """The same changes, with the pair sealed for this portal and the application token hashed."""
        sealed = dict(changes)
        for column in ("access_token", "refresh_token"):
            if sealed.get(column) is not None:
                sealed[column] = self.keyring.seal(sealed[column].encode(), f"portals:{portal_id}:{column}")
        if "application_token" in sealed:
            token = sealed.pop("application_token")
            sealed["application_token_hash"] = None if token is None else self.hash_application_token(token)
        return sealed

    async def read_pair(self, portal_id: int) -> StoredPair | None:
        """The pair as stored now; None if the portal has none."""
        row = await queries.read_row(portal_id)
        if row is None or row["access_token"] is None or row["refresh_token"] is None:
            return None
        return StoredPair(
            generation=row["generation"],
            version=row["token_version"],
            access_token=self._open(portal_id, "access_token", row),
            refresh_token=self._open(portal_id, "refresh_token", row),
        )

    def _open(self, portal_id: int, column: str, row: queries.Row) -> str:
        return self.keyring.open(row[column], f"portals:{portal_id}:{column}").decode()
