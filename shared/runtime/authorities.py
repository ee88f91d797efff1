"""Files of certificates: of the authorities that sign those of servers, and our own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from shared.runtime.errors import Misconfigured


def check_authority(file: str, named_by: str) -> None:
    """Raise Misconfigured where a file holds no certificate; `named_by` is the setting."""
    fix = "Name a file with the authority's certificate in PEM that this process may read."
    with _readable(file, named_by, fix):
        ssl.create_default_context(cafile=file)


def check_certificate(file: str, key: str | None, passphrase: str, named_by: str) -> None:
    """Raise Misconfigured where a file holds no client certificate, or its key is not the one."""
    fix = "Name files with certificate and key in PEM, and the key's passphrase if it has one."
    with _readable(file, named_by, fix):
        # A passphrase is never asked for on a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(file, key, lambda: passphrase)


@contextmanager
def _readable(file: str, named_by: str, fix: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # SSLError is one
        why = (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or error
        raise Misconfigured(f"{named_by}: {file}: {why}.", fix=fix) from error
