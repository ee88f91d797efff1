"""Connecting to Postgres: what cannot work is told at once, and without the password."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from shared.runtime.errors import Misconfigured, Unavailable
from shared.storage.database import connect
from tests.certificates import ServerCertificate


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/name",
        "postgresql://user:se/cret@host/name",
        "postgresql://user:se#cret@host/name",
        "postgresql://user:se?cret@host/name",
        "postgresql://user:se@cr:et@host/name",
        "postgresql://user:se[cret@host/name",
        "postgresql://user:secret@host:port/name",
        "postgresql://user:secret@host/name?sslmode=full",
        "mysql://user:secret@host/name",
    ],
)
async def test_what_is_no_url_is_told_at_once_and_not_repeated(url: str) -> None:
    with pytest.raises(Misconfigured) as told:
        async with connect(url, size=2, application_name="test"):
            pass
    assert "cret" not in str(told.value)


async def test_a_key_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    made = ServerCertificate.make(tmp_path)
    locked = tmp_path / "locked.key"
    key = load_pem_private_key(made.key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"a passphrase")
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    certificate = f"postgresql://user@127.0.0.1:1/name?sslmode=require&sslcert={made.certificate}"
    for wrong, says in {
        f"&sslkey={tmp_path}/none.key": "No such file",
        f"&sslkey={locked}": "PEM lib",
        f"&sslkey={locked}&sslpassword=another": "BAD_DECRYPT|PEM lib",
    }.items():
        with pytest.raises(
            Misconfigured, match=rf"sslcert of the database: .*server\.pem: .*({says})"
        ):
            async with connect(certificate + wrong, size=2, application_name="test"):
                pass
    with pytest.raises(Unavailable):  # the files are fine, and nobody listens
        async with connect(
            f"{certificate}&sslkey={locked}&sslpassword=a+passphrase",
            size=2,
            application_name="test",
        ):
            pass
