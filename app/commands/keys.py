"""Encryption keys: making a new one, and sealing every secret with the current one."""

import secrets

from app.kit.crypto import generate_key
from app.portals.tokens.key_rotation import rotate_keys
from app.settings import Settings
from app.wiring import open_parts


def generate() -> str:
    """A new key with a random id, in the form of ENCRYPTION_KEYS."""
    return generate_key(f"k{secrets.token_hex(3)}")


async def rotate(settings: Settings) -> int:
    """Seal every secret with the current key; returns exit code 1 while any is still under an older key."""
    async with open_parts(settings) as parts:
        rotated, left = await rotate_keys(parts.vault, parts.clock)
    print(f"{rotated} re-encrypted with key {settings.keyring.current_key_id}, {left} changed meanwhile")
    if left:
        print("run the command again before you remove the older keys")
    return 1 if left else 0
