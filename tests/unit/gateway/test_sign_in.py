"""Signing in, the pure part: the operator's file, attempts, return addresses, marks, user codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.gateway.accounts.marks import LONGEST_MARK, VERIFIED, is_mark, mark
from services.gateway.sign_in.attempts import Attempt, Attempts
from services.gateway.sign_in.configuration import read_providers, secret_variables
from services.gateway.sign_in.devices import read_user_code
from services.gateway.sign_in.rules import LONGEST_RETURN, Provider, return_address
from services.gateway.sign_in.service import callback_address
from shared.runtime.errors import Misconfigured

SITE = "https://lab.example.org/board"
ENVIRONMENT = {"A_SECRET": "a secret of some length"}
EXAMPLE = Path(__file__).parents[3] / "deploy" / "sign-in.toml"
USUAL = 'client_id = "us"\nclient_secret_env = "A_SECRET"\n'


def read(tmp_path: Path, text: str, site: str | None = SITE) -> dict[str, Provider]:
    path = tmp_path / "sign-in.toml"
    path.write_text(text, "utf-8")
    return dict(read_providers(path, site, ENVIRONMENT).by_id)


def test_known_providers_need_a_client_alone(tmp_path: Path) -> None:
    text = "".join(f"[providers.{each}]\n{USUAL}" for each in ("huggingface", "orcid", "github"))
    found = read(tmp_path, text)
    assert {each.issuer: (each.kind, each.name_claim) for each in found.values()} == {
        "https://huggingface.co": ("oidc", "preferred_username"),
        "https://orcid.org": ("oidc", "sub"),
        "https://github.com": ("github", "login"),
    }
    assert all("openid" in each.scopes for each in found.values() if each.kind == "oidc")
    assert ENVIRONMENT["A_SECRET"] not in repr(found)


def test_the_example_in_deploy_is_one() -> None:
    variables = secret_variables(EXAMPLE)
    found = read_providers(EXAMPLE, SITE, dict.fromkeys(variables, "secret"))
    assert found.administer
    assert callback_address(found, "orcid") == f"{SITE}/sign-in/orcid/callback"
    assert read_providers(None, None).by_id == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "providers: Field required"),
        ("[providers]\n", "providers: Dictionary should have at least 1 item"),
        ("providers = 1", "providers: Input should be a valid dictionary"),
        ("[[", "it is no TOML"),
        (f"[providers.orcid]\n{USUAL}secret = 'x'", "providers.orcid.secret: Extra inputs"),
        (
            "[providers.orcid]\nclient_id = 'us'",
            "providers.orcid.client_secret_env: Field required",
        ),
        (f"[providers.orcid]\n{USUAL}".replace("A_SECRET", "no-name"), "client_secret_env: String"),
        (f"[providers.orcid]\n{USUAL}".replace("A_SECRET", "ABSENT"), "ABSENT is not set"),
        (f"[providers.Orcid]\n{USUAL}", "providers.Orcid.[key]: String should match"),
        (f"[providers.lab]\n{USUAL}", "providers.lab: kind is missing"),
        (f"[providers.lab]\n{USUAL}kind = 'saml'", "providers.lab.kind: Input should be"),
        (f"[providers.lab]\n{USUAL}kind = 'oidc'", "providers.lab: issuer is missing"),
        (f"[providers.lab]\n{USUAL}kind = 'oidc'\nissuer = 'https://a.b'", "name is missing"),
        (f"[providers.orcid]\n{USUAL}issuer = 'http://orcid.org'", "issuer: it is not https"),
        (f"[providers.orcid]\n{USUAL}issuer = 'orcid.org'", "issuer: it is no https address"),
        (f"[providers.orcid]\n{USUAL}issuer = 'https://a.b/?c'", "more than a host and a path"),
        (f"[providers.orcid]\n{USUAL}issuer = 'https://u@a.b'", "more than a host and a path"),
        (f"[providers.orcid]\n{USUAL}issuer = 'https://[a'", "issuer: it is no address"),
        (f"[providers.orcid]\n{USUAL}scopes = 'profile'", "scopes: 'openid' is missing"),
        (f'[providers.orcid]\n{USUAL}name = "O\\u200b"', "name: should be text without U+200B"),
        (f"[providers.orcid]\n{USUAL}only_administrators = true", "it names none"),
        (f"[providers.github]\n{USUAL}administrator_claims = {{a = 'b'}}", "GitHub has no claims"),
        (
            f"[providers.lab]\nkind = 'oidc'\nname = 'Lab'\nissuer = 'https://a.b'\n{USUAL}"
            "administrator_claims = {groups = 'x', email = 'boss@example.org'}",
            "administrator_claims: people may write email themselves",
        ),
        (f"[providers.github]\n{USUAL}administrators = ['octocat']", "'octocat' is no number"),
        (f"[providers.github]\n{USUAL}issuer = 'https://github.com/'", "not in its one spelling"),
        (f"[providers.github]\n{USUAL}issuer = 'https://GitHub.com'", "not in its one spelling"),
        (
            f"[providers.github]\n{USUAL}[providers.orcid]\n{USUAL}name = 'Github'",
            "'GitHub' and 'Github' of providers begin alike",
        ),
        (
            f"[providers.github]\n{USUAL}[providers.orcid]\n{USUAL}name = 'GitHub Lab'",
            "'GitHub' and 'GitHub Lab' of providers begin alike",
        ),
        (
            f"[providers.a]\nkind = 'orcid'\n{USUAL}[providers.b]\nkind = 'orcid'\n{USUAL}",
            "two providers have the issuer https://orcid.org",
        ),
    ],
)
def test_a_wrong_file_says_what_is_wrong_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Misconfigured) as found:
        read(tmp_path, text)
    assert says in found.value.detail
    assert "sign-in.toml" in found.value.detail
    assert found.value.fix


@pytest.mark.parametrize("site", [None, "http://lab.example.org", "http://10.0.0.1"])
def test_people_come_back_over_https_alone(tmp_path: Path, site: str | None) -> None:
    with pytest.raises(Misconfigured, match="MEDVID_PUBLIC_URL"):
        read(tmp_path, f"[providers.orcid]\n{USUAL}", site)
    read(tmp_path, f"[providers.orcid]\n{USUAL}", "http://127.0.0.1:8080")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"gone\.toml: No such file"):
        read_providers(tmp_path / "gone.toml", SITE)


@pytest.mark.parametrize(
    "text",
    [
        "", "account", "https://evil.example/", "//evil.example", "/board//evil.example",
        "/\\evil.example", "/board/\\evil", "/board/../evil", "/account", "/boards", "/board/a\n",
        "/board/%2e%2e/", "/board/a?b=//evil", "/board/a#b", "/board/@evil", "javascript:alert(1)",
        "/board/" + "a" * 400, "/board/a\r\nSet-Cookie:x", "\t//evil", "/board/é",
    ],
)  # fmt: skip
def test_no_return_address_leads_elsewhere(text: str) -> None:
    assert return_address(text, "/board", "/board/account") == "/board/account"


def test_our_own_pages_are_returned_to() -> None:
    for text in ("/board/admin", "/board/activate?code=BCDF-GHJK", "/board/submit?track=a_b"):
        assert return_address(text, "/board", "/") == text
    assert return_address("/admin", "", "/") == "/admin"
    assert return_address("//admin", "", "/") == "/"


def provider(**changes: Any) -> Provider:
    given = {
        "id": "one", "name": "One", "kind": "oidc", "issuer": "https://one.example", "client_id":
        "us", "client_secret": "s", "scopes": "openid", "name_claim": "sub",
    }  # fmt: skip
    return Provider(**given | changes)


def test_an_attempt_is_one_browsers_at_one_provider() -> None:
    one, other, there = Attempt.begin("/a"), Attempt.begin("/a"), provider()
    parts = [one.state(there), one.nonce(there), one.verifier(there), one.challenge(there)]
    parts += [other.state(there), one.state(provider(id="two"))]
    assert len({*parts, one.secret}) == 7
    assert one.is_state(there, one.state(there))
    for wrong in (other.state(there), one.state(provider(id="two")), "", "\udcff"):
        assert not one.is_state(there, wrong)
    assert len(one.verifier(there)) == 43  # RFC 7636: 43 to 128
    for cookie in (None, "", ".", "a.%%%", "a.é", "x" * 5_000, "a._w", "~~"):
        assert Attempts.read(cookie).kept == ()


def test_each_tab_of_a_browser_has_its_own_attempt() -> None:
    there, begun = provider(), [Attempt.begin("/" + "a" * (LONGEST_RETURN - 1)) for _ in range(5)]
    kept = Attempts()
    for each in begun:
        kept = Attempts.read(kept.begun(each).cookie)
    assert kept.kept == tuple(reversed(begun[1:]))  # the oldest is forgotten
    assert len(kept.cookie) < 4_000  # what a browser keeps
    found = kept.of_state(there, begun[2].state(there))
    assert found == begun[2]
    left = kept.ended(found)
    assert left.of_state(there, begun[2].state(there)) is None
    assert left.of_state(there, begun[3].state(there)) == begun[3]
    assert left.of_state(provider(id="two"), begun[3].state(there)) is None


def test_who_administers_is_in_the_file() -> None:
    listed = provider(administrators=frozenset({"7"}))
    assert listed.administers("7", None)
    assert listed.met({}) is None
    claimed = provider(administrator_claims={"groups": "admins", "staff": "yes"})
    met = claimed.met({"groups": ["users", "admins"], "staff": "yes"})
    assert claimed.administers("8", met)
    assert not claimed.administers("8", None)
    # What is asked for by now counts, not what was when the person signed in.
    for now in ({}, {"groups": "admins"}, {"groups": "others", "staff": "yes"}):
        assert not provider(administrator_claims=now).administers("8", met)
    for claims in ({}, {"groups": "admins"}, {"groups": ["admins2"], "staff": "yes"}):
        assert claimed.met(claims) is None


def test_a_mark_names_whom_it_may() -> None:
    assert mark("ORCID", "0000-0002-1825-0097", shown=True) == "verified: ORCID 0000-0002-1825-0097"
    for name, shown in (
        ("ada", False),
        ("a;b", True),
        ("a\u202eb", True),
        ("a" * LONGEST_MARK, True),
        ("аdа", True),  # noqa: RUF001 - Cyrillic letters in it
        ("ａｄａ", True),  # noqa: RUF001 - of full width
    ):
        assert mark("GitHub", name, shown=shown) == VERIFIED
    assert is_mark(VERIFIED)
    assert is_mark("verified: GitHub ada")
    assert not is_mark("unverified: GitHub ada")


def test_a_user_code_is_read_however_it_is_typed() -> None:
    for text in ("BCDF-GHJK", "bcdfghjk", " bcdf ghjk "):
        assert read_user_code(text) == "BCDF-GHJK"
    assert read_user_code("B" * 1_000) == ""
