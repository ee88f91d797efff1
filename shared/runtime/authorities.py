"""Files of the authorities that sign servers' certificates."""

from __future__ import annotations

import ssl

from shared.runtime.errors import Misconfigured


def check_authority(file: str, named_by: str) -> None:
    """Raise Misconfigured where a file holds no certificate; `named_by` is the setting."""
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # SSLError is one
        why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise Misconfigured(
            f"{named_by}: {file}: {why}.",
            fix="Name a file with the authority's certificate in PEM that this process may read.",
        ) from error
