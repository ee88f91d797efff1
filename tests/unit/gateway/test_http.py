"""Accept-Encoding and If-None-Match, as RFC 9110 means them."""

from __future__ import annotations

import pytest

from services.gateway.web.negotiation import accepts_gzip, etag_matches


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=0.3, br", True),
        ("x-gzip", True),
        ("*", True),
        ("br, *;q=0.1", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=nonsense", False),
        ("gzipped", False),
    ],
)
def test_who_takes_gzip(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ("*", True),
        ('"x", "abc"', True),
        ('"x",W/"abc" , "y"', True),
        ('"ab"', False),
        ("abc", False),
        ('"abc-gzip"', False),
        ("", False),
        ('"' * 9000, False),
    ],
)
def test_entity_tags(header: str, matches: bool) -> None:
    assert etag_matches(header, '"abc"') is matches
