"""The ranker's settings."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from medvid.evidence.signatures import Signer
from shared.runtime.retention import RetentionSettings


class RankerSettings(RetentionSettings):
    """The ranker also prunes what is too old; ranking itself has no settings."""

    signing_key: SecretStr | None = Field(
        None,
        description="secret seed of the Ed25519 key that signs the boards' links, 64 hexadecimal "
        "digits ('openssl rand -hex 32'); unset for unsigned links",
    )

    @property
    def signer(self) -> Signer | None:
        """What signs links; None where no key is set."""
        key = self.signing_key.get_secret_value() if self.signing_key else ""
        return Signer.of(key) if key else None

    @field_validator("signing_key")
    @classmethod
    def _seed(cls, key: SecretStr | None) -> SecretStr | None:
        if key and key.get_secret_value():
            Signer.of(key.get_secret_value())
        return key
