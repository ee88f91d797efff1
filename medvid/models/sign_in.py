"""Signing in a program that has no browser (RFC 8628)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medvid.models.base import Answer, Open


class DeviceCode(Answer):
    """What lets a program wait until its user has allowed it in a browser."""

    device_code: str = Field(description="the program's secret, to ask with")
    user_code: str = Field(description="what the user enters, as BCDF-GHJK")
    verification_uri: str = Field(description="where")
    verification_uri_complete: str = Field(description="the same with the code filled in")
    expires_in: int = Field(description="seconds until both codes are worth nothing")
    interval: int = Field(description="seconds to wait between two questions")


class DeviceKey(Answer):
    """Whether the user has allowed the program."""

    state: Open[Literal["pending", "allowed"]]
    key: str | None = Field(
        description="a key of the account, shown here only; null while it is pending"
    )
