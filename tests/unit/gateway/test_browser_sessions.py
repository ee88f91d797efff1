"""A form's token belongs to one browser; tries are counted by address."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from services.gateway.accounts.guesses import Failures
from services.gateway.web.browsers import (
    cookie_name,
    form_token,
    is_form_of,
    new_session_token,
    same_origin,
)
from services.gateway.web.site import Site

SAFE = "__Host-a"


def test_a_token_belongs_to_its_cookie_alone() -> None:
    one, other = new_session_token(), new_session_token()
    assert is_form_of(one, form_token(one))
    assert one not in form_token(one)
    for cookie, token in (
        (one, form_token(other)), (other, form_token(one)), (one, one), (one, ""), (one, None),
        (None, form_token(one)), ("", form_token("")), (one, "\u00e4"),
    ):  # fmt: skip
        assert not is_form_of(cookie, token)


@pytest.mark.parametrize(
    ("origin", "site", "ours"),
    [
        (None, None, True),
        ("https://here.example", "same-origin", True),
        ("http://HERE.example", None, True),
        ("null", None, False),
        ("https://here.example.evil", None, False),
        ("https://evil/here.example", None, False),
        ("http://[", None, False),
        (None, "same-site", False),
        (None, "none", False),
    ],
)
def test_where_a_form_comes_from(origin: str | None, site: str | None, *, ours: bool) -> None:
    assert same_origin("here.example", origin, site) is ours


def test_too_many_tries_wait_and_only_at_their_address() -> None:
    now = 0.0
    failures = Failures(3, 60, lambda: now)
    for _ in range(3):
        assert failures.wait("a") == 0
        failures.add("a")
        now += 1
    assert failures.wait("a") == 57
    assert failures.wait("b") == 0
    now = 60.5
    assert failures.wait("a") == 0


def test_what_is_remembered_is_bounded() -> None:
    failures = Failures(1, 60, lambda: 0.0)
    for number in range(5_000):
        failures.add(str(number))
    assert failures.wait("0") == 0
    assert failures.wait("4999") == 60


@pytest.mark.parametrize(
    ("public", "headers", "name"),
    [
        ("https://lab.example.org", {}, SAFE),  # a proxy need not say that it was https
        ("https://lab.example.org:443", {}, SAFE),
        ("https://lab.example.org:8443", {}, "a"),
        ("http://lab.example.org", {}, "a"),
        (None, {}, "a"),
        (None, {"X-Forwarded-Proto": "https"}, SAFE),
        (None, {"X-Forwarded-Proto": "https, http"}, SAFE),
        ("https://other.example.org", {"X-Forwarded-Proto": "http, https"}, "a"),
    ],
)
def test_cookies_are_safe_where_people_come_over_https(
    public: str | None, headers: dict[str, str], name: str
) -> None:
    request = make_mocked_request("GET", "/", headers={"Host": "lab.example.org", **headers})
    with Site.of(public).serving():
        assert cookie_name(request, "a") == name
