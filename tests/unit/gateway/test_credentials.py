"""Tokens, keys and fingerprints."""

from __future__ import annotations

import pytest

from services.gateway.accounts import credentials
from shared.runtime.errors import InvalidInput


def test_tokens_are_random_and_recognisable() -> None:
    tokens = {credentials.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("mvb_") and len(token) >= 43 for token in tokens)


def test_a_repeat_gets_the_same_token_and_another_salt_another() -> None:
    salt, other = credentials.new_salt(), credentials.new_salt()
    token = credentials.token_for("key", salt)
    assert token == credentials.token_for("key", salt)
    assert token != credentials.token_for("key", other)
    assert token != credentials.token_for("kez", salt)
    assert "key" not in token


def test_a_token_matches_its_hash_only() -> None:
    stored = credentials.sha256("mvb_a")
    assert len(stored) == 32
    assert credentials.matches("mvb_a", stored)
    assert not credentials.matches("mvb_b", stored)


def test_fingerprints_tell_every_difference() -> None:
    fields = {"model_name": "a", "team": "b"}
    base = credentials.fingerprint(fields, b"f" * 32)
    assert base == credentials.fingerprint(dict(reversed(fields.items())), b"f" * 32)
    different = [
        credentials.fingerprint(fields, b"g" * 32),
        credentials.fingerprint({"model_name": "a"}, b"f" * 32),
        credentials.fingerprint({"model_name": "at", "eam": "b"}, b"f" * 32),
        credentials.fingerprint({"model_name": "ateamb"}, b"f" * 32),
        credentials.fingerprint({"model_name": "b", "team": "a"}, b"f" * 32),
    ]
    assert len({base, *different}) == 1 + len(different)


@pytest.mark.parametrize("header", ["Bearer abc", "bearer  abc ", "BEARER abc"])
def test_bearer_tokens(header: str) -> None:
    assert credentials.bearer_token(header) == "abc"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b"])
def test_other_authorization_is_an_error(header: str) -> None:
    with pytest.raises(InvalidInput):
        credentials.bearer_token(header)


def test_no_authorization_is_none() -> None:
    assert credentials.bearer_token(None) is None
