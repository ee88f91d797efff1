"""Reads the file of identity providers (TOML); an error names the file, the place and the fix.

[providers.github]
client_id = "Iv1.0123456789abcdef"
client_secret_env = "SIGN_IN_GITHUB_SECRET"    # the secret itself is never in the file
administrators = ["583231"]

[providers.example]
kind = "oidc"
name = "Example University"
issuer = "https://login.example.edu"
client_id = "leaderboard"
client_secret_env = "SIGN_IN_EXAMPLE_SECRET"
administrator_claims = {groups = "leaderboard-admins"}
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import permutations
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from medvid.benchmark.names import check_text
from services.gateway.sign_in.rules import LONGEST_SUBJECT, Kind, Provider, Providers
from services.gateway.web.site import Site
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import environment

_FIX: Final = "See docs/operations.md#sign-in and its example, deploy/sign-in.toml."
_OWN_CLAIMS: Final = frozenset({
    "birthdate", "email", "email_verified", "family_name", "given_name", "locale", "middle_name",
    "name", "nickname", "phone_number", "picture", "preferred_username", "profile", "upn",
    "unique_name", "website", "zoneinfo",
})  # fmt: skip
"""What is said of a person, often by that person: it gives no rights (OpenID Connect Core, 5.7)."""
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
_Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
_Subject = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_SUBJECT)]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=100)]


@dataclass(frozen=True, slots=True)
class _Preset:
    """Settings of well-known providers, which a file need not repeat."""

    kind: Kind
    name: str
    issuer: str
    scopes: str
    name_claim: str


_PRESETS: Final[Mapping[str, _Preset]] = {
    "huggingface": _Preset(
        "oidc", "Hugging Face", "https://huggingface.co", "openid profile", "preferred_username"
    ),
    # Its subject is the iD; names are what people write there.
    "orcid": _Preset("oidc", "ORCID", "https://orcid.org", "openid", "sub"),
    "github": _Preset("github", "GitHub", "https://github.com", "", "login"),
}


class _ProviderTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Literal["huggingface", "orcid", "github", "oidc"] | None = None
    name: Annotated[_Text, StringConstraints(max_length=30)] | None = None
    issuer: _Text | None = None
    client_id: _Text
    client_secret_env: _Variable
    scopes: _Text | None = None
    name_claim: _Text | None = None
    administrators: Annotated[list[_Subject], Field(max_length=200)] = []
    administrator_claims: dict[_Text, _Text] = {}
    only_administrators: bool = False


class _SignInFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    private_networks: bool = False
    providers: Annotated[dict[_Id, _ProviderTable], Field(min_length=1, max_length=20)]


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    variables: Mapping[str, str]

    def read(self) -> _SignInFile:
        try:
            return _SignInFile.model_validate(tomllib.loads(self.path.read_text("utf-8")))
        except OSError as error:
            raise self.wrong(error.strerror or "it cannot be read", "Name a file.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self.wrong(f"it is no TOML: {error}") from error
        except ValidationError as error:
            raise self.wrong(_problems(error)) from None

    def provider(self, key: str, table: _ProviderTable, *, private_networks: bool) -> Provider:
        preset = self._preset(key, table)
        known = {name: getattr(table, name) for name in ("name", "issuer", "scopes", "name_claim")}
        facts = {name: value or getattr(preset, name) for name, value in known.items()}
        self._check(key, facts, table, preset.kind)
        secret = self.variables.get(table.client_secret_env, "").strip()
        if not secret:
            what = f"providers.{key}: the variable {table.client_secret_env} is not set"
            raise self.wrong(what, f"Set it to the secret that {facts['name']} gave you.")
        return Provider(
            id=key,
            kind=preset.kind,
            client_id=table.client_id,
            client_secret=secret,
            administrators=frozenset(table.administrators),
            administrator_claims=dict(table.administrator_claims),
            only_administrators=table.only_administrators,
            private_networks=private_networks,
            **facts,
        )

    def _preset(self, key: str, table: _ProviderTable) -> _Preset:
        kind = table.kind or key
        if kind in _PRESETS:
            return _PRESETS[kind]
        if kind != "oidc":
            raise self.wrong(f"providers.{key}: kind is missing", f"Set it: {_kinds()}.")
        for name in ("issuer", "name"):
            if not getattr(table, name):
                raise self.wrong(f"providers.{key}: {name} is missing", "An 'oidc' one needs it.")
        return _Preset("oidc", "", "", "openid profile", "preferred_username")

    def _check(self, key: str, facts: Mapping[str, str], table: _ProviderTable, kind: Kind) -> None:
        place = f"providers.{key}"
        if problem := _issuer_problem(facts["issuer"]):
            raise self.wrong(f"{place}.issuer: {problem}")
        try:
            check_text(facts["name"])
        except ValueError as error:
            raise self.wrong(f"{place}.name: should be {error}") from None
        if kind == "oidc" and "openid" not in facts["scopes"].split():
            raise self.wrong(f"{place}.scopes: 'openid' is missing", "Add it.")
        if kind == "github":
            self._check_github(place, facts["issuer"], table)
        if own := _OWN_CLAIMS.intersection(table.administrator_claims):
            fix = "Ask for what the provider's administrators give, as groups, or name subjects."
            what = f"people may write {' and '.join(sorted(own))} themselves"
            raise self.wrong(f"{place}.administrator_claims: {what}", fix)
        if table.only_administrators and not (table.administrators or table.administrator_claims):
            fix = "Name 'administrators' or 'administrator_claims'."
            raise self.wrong(f"{place}.only_administrators: it names none", fix)

    def _check_github(self, place: str, issuer: str, table: _ProviderTable) -> None:
        fix = "Name 'administrators' by their numeric ids."
        if table.administrator_claims:
            raise self.wrong(f"{place}.administrator_claims: GitHub has no claims", fix)
        logins = [each for each in table.administrators if not re.fullmatch("[1-9][0-9]*", each)]
        if logins:
            raise self.wrong(f"{place}.administrators: {logins[0]!r} is no number", fix)
        # Accounts belong to issuer and number: another spelling would be another person.
        if issuer != issuer.lower() or urlsplit(issuer).path:
            fix = "Write it in lower case and without a path, as https://github.example.edu."
            raise self.wrong(f"{place}.issuer: it is not in its one spelling", fix)

    def wrong(self, what: str, fix: str = _FIX) -> Misconfigured:
        return Misconfigured(f"MEDVID_SIGN_IN: {self.path.name}: {what}.", fix=fix)


def read_providers(
    path: Path | None, public_url: str | None, variables: Mapping[str, str] | None = None
) -> Providers:
    """Return the providers of a file, none without one; raises Misconfigured."""
    if path is None:
        return Providers()
    reader = _Reader(path, environment() if variables is None else variables)
    found = reader.read()
    providers = {
        key: reader.provider(key, table, private_networks=found.private_networks)
        for key, table in found.providers.items()
    }
    issuers = [each.issuer for each in providers.values()]
    if twice := next((each for each in issuers if issuers.count(each) > 1), None):
        raise reader.wrong(f"two providers have the issuer {twice}", "Keep one of them.")
    _check_names(reader, [each.name for each in providers.values()])
    return Providers(providers, _site(public_url))


def _check_names(reader: _Reader, names: Sequence[str]) -> None:
    """Raise Misconfigured where a mark could be read as one of another provider."""
    for one, other in permutations(names, 2):
        if f"{other} ".casefold().startswith(f"{one} ".casefold()):
            what = f"the names {one!r} and {other!r} of providers begin alike"
            raise reader.wrong(what, "Entries are marked with name and login: give another name.")


def secret_variables(path: Path | None) -> frozenset[str]:
    """Return the variables that a file reads; raises Misconfigured."""
    if path is None:
        return frozenset()
    tables = _Reader(path, {}).read().providers.values()
    return frozenset(each.client_secret_env for each in tables)


def _site(public_url: str | None) -> str:
    """Return where providers send people back to; raises Misconfigured."""
    site = Site.of(public_url)
    if not public_url or not _is_private(urlsplit(public_url)):
        raise Misconfigured(
            "signing in needs MEDVID_PUBLIC_URL with https: providers send people back to it.",
            fix="Set it, as in https://leaderboard.example.org; http is for this machine alone "
            "(http://127.0.0.1:8080).",
        )
    return site.origin + site.prefix


def _issuer_problem(issuer: str) -> str | None:
    try:
        found = urlsplit(issuer)
        port = found.port
    except ValueError:
        return "it is no address"
    if not found.hostname or port == 0 or found.scheme not in ("http", "https"):
        return "it is no https address"
    if found.query or found.fragment or "@" in found.netloc:
        return "it has more than a host and a path"
    if not _is_private(found):
        return "it is not https"
    return None


def _is_private(address: SplitResult) -> bool:
    """Tell whether what is sent to an address is read by nobody on the way."""
    if address.scheme == "https":
        return True
    try:
        return ip_address(address.hostname or "").is_loopback
    except ValueError:
        return address.hostname == "localhost"


def _kinds() -> str:
    return ", ".join([*_PRESETS, "oidc"])


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'its top'}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_url=False, include_input=False)
    )
