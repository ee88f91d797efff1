"""What a sender is told about a key or token that a server refused."""

from __future__ import annotations

import pytest

from medvid.api.credentials import fix_of, sendable

KEY = "mvk_" + "a" * 43


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        (f'"{KEY}"', "wrapped in quotes"),
        (f"{KEY}'", "wrapped in quotes"),
        (f"\u201c{KEY}\u201d", "wrapped in quotes"),
        ("$MEDVID_API_KEY", "$MEDVID_API_KEY was not expanded"),
        ("${MEDVID_API_KEY}", "$MEDVID_API_KEY was not expanded"),
        ("%MEDVID_API_KEY%", "$MEDVID_API_KEY was not expanded"),
        ("${{ secrets.MEDVID_API_KEY }}", "$secrets.MEDVID_API_KEY was not expanded"),
        (f"Bearer {KEY}", "Leave out the word 'Bearer'"),
        ("mvk_...", "the example's or cut"),
        ("<your key>", "the example's or cut"),
        (f"{KEY}\n", "a line break"),
        (f"{KEY[:9]} {KEY[9:]}", "a space"),
        (KEY.removeprefix("mvk_"), "begin with mvk_"),
        ("administrators-key", "mistyped administrator's key"),
    ],
)
def test_what_can_be_seen_is_told_without_the_secret(secret: str, told: str) -> None:
    found = fix_of(secret)
    assert found is not None
    assert told in found
    assert "a" * 20 not in found


@pytest.mark.parametrize("secret", [KEY, KEY.replace("mvk_", "mvb_")])
def test_nothing_is_told_of_what_looks_right(secret: str) -> None:
    assert fix_of(secret) is None
    assert sendable(secret)
