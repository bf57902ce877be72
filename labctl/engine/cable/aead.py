"""The ciphers of `cryptography`, which is imported here alone: it is large, and an extra."""

from __future__ import annotations

from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from labctl.engine.packets.train import Bytes

FAILURES = (InvalidTag, ValueError)
"""What `decrypt` raises for what is not authentic; ValueError: it is too short for a nonce or for a tag."""


class Aead(Protocol):
    """Authenticated encryption with associated data, of which a cable has none."""

    def encrypt(self, nonce: bytes, data: Bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: Bytes, associated_data: bytes | None) -> bytes: ...


def aead(key: bytes, cipher: str) -> Aead:
    """Return one of CIPHERS with a key."""
    return AESGCM(key) if cipher == "aes-256-gcm" else ChaCha20Poly1305(key)
