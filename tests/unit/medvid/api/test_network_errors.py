"""What stands between a client and its server is named, with the cure."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from medvid import AsyncClient
from medvid.api import LeaderboardError, Retries, Unreachable
from medvid.api.errors import BadAddress

ONCE = Retries(attempts=1)


@asynccontextmanager
async def answering(reply: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Give the host and port of a server that answers everything with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(4096)
            writer.write(reply)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def failure(url: str) -> LeaderboardError:
    async with AsyncClient(url, retries=ONCE) as client:
        with pytest.raises(LeaderboardError) as failed:
            await client.boards()
    return failed.value


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def head(status: str, *lines: str, body: str = "") -> bytes:
    every = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *lines)
    return ("\r\n".join(every) + f"\r\n\r\n{body}").encode()


@pytest.mark.parametrize(
    ("location", "fix"),
    [
        ("https://other.example/api/v1/leaderboards", "Use https://other.example;"),
        ("https://other.example/a/b/api/v1/leaderboards", "Use https://other.example/a/b;"),
        ("/elsewhere", "Use /elsewhere;"),
    ],
)
async def test_a_server_that_moved_is_not_followed_but_named(location: str, fix: str) -> None:
    async with answering(head("301 Moved Permanently", f"Location: {location}")) as place:
        error = await failure(f"http://{place}")
    assert isinstance(error, BadAddress)
    assert location in error.detail
    assert fix in error.fix


async def test_a_proxys_own_page_is_no_answer_of_the_server() -> None:
    async with answering(head("502 Bad Gateway", body="<h1>Bad Gateway</h1>")) as place:
        error = await failure(f"http://{place}")
    assert isinstance(error, Unreachable)  # so it is tried again
    assert "502" in error.detail


async def test_https_on_a_plain_port_is_named() -> None:
    async with answering(head("400 Bad Request")) as place:
        error = await failure(f"https://{place}")
    assert isinstance(error, BadAddress)
    assert "speaks no TLS" in error.detail
    assert "http://" in error.fix


async def test_a_certificate_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    async with answering(head("200 OK"), self_signed(tmp_path)) as place:
        error = await failure(f"https://{place}")
    assert isinstance(error, BadAddress)
    assert "is not trusted: self-signed certificate" in error.detail
    assert "SSL_CERT_FILE" in error.fix


async def test_a_proxy_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@127.0.0.1:1")
    error = await failure("http://board.example")
    assert isinstance(error, Unreachable)
    assert "the proxy 127.0.0.1:1" in error.detail
    assert "name board.example in NO_PROXY" in error.fix
    assert "secret" not in str(error)
    monkeypatch.setenv("HTTP_PROXY", "nonsense")
    assert "'nonsense' is no address of a proxy" in (await failure("http://board.example")).detail
    async with answering(head("407 Proxy Authentication Required")) as place:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{place}")
        error = await failure("https://board.example")
    assert "answered 407" in error.detail


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
