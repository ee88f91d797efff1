"""Every setting of every service, for `medvid config`."""

from __future__ import annotations

from pydantic import SecretStr

from medvid.api.errors import LeaderboardError
from medvid.cli.printing import HIDDEN
from services.standalone import StandaloneSettings
from shared.runtime import errors
from shared.runtime.settings import load_settings


def settings() -> list[tuple[str, str | None, str]]:
    """Return variable, value and meaning of each, secrets hidden; raises LeaderboardError."""
    try:
        found = load_settings(StandaloneSettings)
    except errors.Misconfigured as error:
        raise LeaderboardError(error.detail, fix=error.fix) from error
    rows = []
    for name, field in sorted(StandaloneSettings.model_fields.items()):
        value = getattr(found, name)
        shown = HIDDEN if isinstance(value, SecretStr) else str(value)
        rows.append(
            (f"MEDVID_{name.upper()}", None if value is None else shown, field.description or "")
        )
    return rows
