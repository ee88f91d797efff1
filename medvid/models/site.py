"""What a leaderboard links to outside."""

from __future__ import annotations

from pydantic import Field

from medvid.models.base import Answer


class SiteLinks(Answer):
    """Where the benchmark's paper, data and code are, and whom to ask; null: not set."""

    paper: str | None = Field(None, description="address of the benchmark's paper")
    data: str | None = Field(None, description="where its test set and videos are to be had")
    code: str | None = Field(None, description="its code: inference, evaluation, or this server's")
    contact: str | None = Field(None, description="of the maintainers: mailto: or a web address")
