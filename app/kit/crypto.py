"""Sealing of secrets: AES-256-GCM. A sealed value holds the id of its key and is bound to its place.

The place (`context`, for example ``portals:17:access_token``) is authenticated but not stored, so a value
that is copied to another row or column does not open there.
"""

import base64
import hmac
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32
MAX_ID_LENGTH = 16  # Shorter than any key, so that no message shows a key as if it were an id.


class KeyringError(ValueError):
    """ENCRYPTION_KEYS cannot be read; the message says which part and never shows a key."""


class CannotDecryptError(Exception):
    """A sealed value does not open: its key is missing, or the value was moved to another place or
    changed.
    """


@dataclass(frozen=True, slots=True)
class Keyring:
    """The encryption keys: the first seals new values, each opens the values that it sealed."""

    keys: dict[str, bytes]

    @classmethod
    def parse(cls, text: str) -> "Keyring":
        """Read ``id:base64-32-bytes[,older…]``, or ``@/path`` of such a file; raises KeyringError."""
        if text.startswith("@"):
            text = _read_key_file(text[1:])
        keys: dict[str, bytes] = {}
        for position, part in enumerate(text.replace("\n", ",").split(","), start=1):
            if part.strip():
                key_id, key = _parse_key(part.strip(), position)
                if key_id in keys:
                    raise KeyringError(f"key {position}: the id {key_id!r} is used twice")
                keys[key_id] = key
        if not keys:
            raise KeyringError("it holds no key; make one with: python -m app keys generate")
        return cls(keys)

    @property
    def current_key_id(self) -> str:
        """The id of the key that seals."""
        return next(iter(self.keys))

    def seal(self, plaintext: bytes, context: str) -> str:
        """Encrypt for one place; returns ``key-id.base64url(nonce + ciphertext)``."""
        nonce = os.urandom(NONCE_BYTES)
        key_id = self.current_key_id
        ciphertext = AESGCM(self.keys[key_id]).encrypt(nonce, plaintext, context.encode())
        return f"{key_id}.{base64.urlsafe_b64encode(nonce + ciphertext).decode().rstrip('=')}"

    def open(self, sealed: str, context: str) -> bytes:
        """Decrypt a value that was sealed for the same place; raises CannotDecryptError."""
        key_id, _, body = sealed.partition(".")
        key = self.keys.get(key_id)
        if key is None:
            raise CannotDecryptError("it was sealed with a key that is not in ENCRYPTION_KEYS")
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotDecryptError("it was sealed for another place, or changed") from error

    def is_current(self, sealed: str) -> bool:
        """Whether the value was sealed with the current key."""
        return sealed.partition(".")[0] == self.current_key_id


def generate_key(key_id: str) -> str:
    """A new random key in the form of ENCRYPTION_KEYS."""
    return f"{key_id}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def keyed_hash(key: bytes, secret: str) -> str:
    """HMAC-SHA256 in hex. It is stored in place of a secret that is compared but never read again."""
    return hmac.digest(key, secret.encode(errors="replace"), "sha256").hex()


def _read_key_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise KeyringError(f"the key file cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise KeyringError("the key file cannot be read: it is not text") from error


def _parse_key(part: str, position: int) -> tuple[str, bytes]:
    key_id, separator, encoded = part.partition(":")
    if not separator or not key_id.isalnum() or len(key_id) > MAX_ID_LENGTH:
        raise KeyringError(
            f"key {position} is not of the form id:base64, its id being at most "
            f"{MAX_ID_LENGTH} letters and digits"
        )
    standard = encoded.translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError as error:  # Raised for text outside ASCII too.
        raise KeyringError(f"key {position} ({key_id}) is not base64") from error
    if len(key) != KEY_BYTES:
        raise KeyringError(f"key {position} ({key_id}) has {len(key)} bytes, not {KEY_BYTES}")
    return key_id, key
