"""The scorer's settings."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field

from shared.runtime.settings import CommonSettings


class ScorerSettings(CommonSettings):
    """What an operator may change about scoring."""

    scorer_processes: Annotated[int, Field(ge=1, le=64)] = Field(
        min(2, os.cpu_count() or 1), description="files scored at the same time"
    )
    scorer_seconds: Annotated[float, Field(gt=0)] = Field(
        120, description="how long one file may take before its submission fails"
    )
    similarities: bool = Field(
        True, description="measure how near captions are to their references, after scoring"
    )
    similarity_seconds: Annotated[float, Field(gt=0)] = Field(
        300, description="how long one similarity of one file may take before it is given up"
    )
