"""The ranker's settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from medvid.benchmark.ladder import USUAL_STEPS, Steps
from medvid.evidence.signatures import Signer
from shared.runtime.retention import RetentionSettings


class RankerSettings(RetentionSettings):
    """The ranker also prunes what is too old, and rounds what owners of evaluations are shown."""

    evaluate_only_step: Annotated[float, Field(gt=0, le=0.5)] = Field(
        USUAL_STEPS.shares,
        description="to what values are rounded for owners of evaluate-only submissions",
    )
    evaluate_only_step_judged: Annotated[float, Field(gt=0, le=2)] = Field(
        USUAL_STEPS.points, description="the same of judged metrics, in points"
    )
    signing_key: SecretStr | None = Field(
        None,
        description="secret seed of the Ed25519 key that signs the boards' links, 64 hexadecimal "
        "digits ('openssl rand -hex 32'); unset for unsigned links",
    )

    @property
    def steps(self) -> Steps:
        """To what the answers to evaluations are rounded."""
        return Steps(self.evaluate_only_step, self.evaluate_only_step_judged)

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
