"""Ed25519 (RFC 8032) over links. `cryptography` is loaded when a key is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from medvid.evidence.canonical import sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED: Final = re.compile(r"[0-9a-f]{64}")
_KEY_ID: Final = 16
"""Characters."""


def key_id_of(public_key: str) -> str:
    """Return the name of a public key (32 bytes, hexadecimal): the beginning of its hash."""
    return sha256(bytes.fromhex(public_key))[:_KEY_ID]


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key that signs."""

    key: Ed25519PrivateKey
    public_key: str
    key_id: str

    @classmethod
    def of(cls, seed: str) -> Self:
        """Return the signer of a secret seed: 64 hexadecimal digits; raises ValueError."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if _SEED.fullmatch(seed.strip().lower()) is None:
            raise ValueError("it has not 64 hexadecimal digits")
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed.strip()))
        public_key = key.public_key().public_bytes_raw().hex()
        return cls(key, public_key, key_id_of(public_key))

    def sign(self, data: bytes) -> str:
        """Return the signature, in hexadecimal."""
        return self.key.sign(data).hex()


def is_signed(data: bytes, signature: str, public_key: str) -> bool:
    """Return whether the holder of a key signed this; both in hexadecimal."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True
