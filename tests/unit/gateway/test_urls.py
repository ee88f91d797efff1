"""Addresses are made by one function: none is written where it is used."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pydantic import ValidationError

from medvid.models.base import API
from services.gateway.parts import FEATURES
from services.gateway.settings import GatewaySettings
from services.gateway.web.site import Site
from services.gateway.web.urls import (
    GUESSED,
    OPERATIONS,
    PAGES,
    address_of,
    check_public_url,
    inside,
    url,
)

GATEWAY: Final = Path(__file__).parents[3] / "services" / "gateway"
OWN: Final = GATEWAY / "web" / "urls.py"
NO_ADDRESSES: Final = {
    ("accounts/quotas.py", "/"): "tells a network from an address",
    ("pages/examples.py", "{}/{}"): "a place in a path",
    ("submissions/uploads.py", "/key"): "a name that no field of a form has",
    ("boards/every_eval_ever.py", "/"): "joins the parts of a model's name",
    ("boards/every_eval_ever.py", "{}/{}"): "names a model, or an evaluation",
    ("boards/every_eval_ever.py", "{}/{}/{}"): "names a result",
    ("web/addresses.py", "/{}"): "a network's length",
    ("web/bodies.py", "{}/{}"): "a media type",
    ("web/endpoints.py", "{}/"): "how operations' paths begin",
    ("web/negotiation.py", "{}/*"): "a media type",
    ("web/site.py", "/"): "ends a site's address",
}
"""What begins with a slash and is none, by file."""
DECLARING: Final = frozenset({"get", "post", "put", "patch", "add", "Endpoint", "ReplyLink"})
"""What declares operations, with their paths below the API's."""
SPLITTING: Final = frozenset({"split", "partition", "rpartition", "replace"})


def written_in_python(text: str) -> Iterator[str]:
    """Yield the strings that look like addresses; places of f-strings are `{}`."""
    tree = ast.parse(text)
    skipped = {id(each) for node in ast.walk(tree) for each in _no_addresses(node)}
    for node in ast.walk(tree):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        if id(node) not in skipped and isinstance(node, ast.JoinedStr | ast.Constant):
            found = "".join(
                str(each.value) if isinstance(each, ast.Constant) else "{}" for each in parts
            )
            if re.match(r"(\{\})?/(?!\s)", found):
                yield found


def _no_addresses(node: ast.AST) -> list[ast.expr]:
    """Return what below a node is no address: of declarations, of splitting, pieces of one."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name("router"), attr=name), args=args):
            return args if name in DECLARING else []
        case ast.Call(func=ast.Name(name), args=args):
            return args if name in DECLARING else []
        case ast.Call(func=ast.Attribute(attr=name), args=args):
            return args if name in SPLITTING else []
        case ast.JoinedStr(values=values):
            return values
    return []


def written_in_markup(text: str) -> Iterator[str]:
    """Yield what of a template, a script or a style sheet looks like an address."""
    for found in re.finditer(r"""(["'`(>])(/(?=[\w{$.?#"'`])(?![a-z0-9]*>)[^"'`)<]*)""", text):
        yield found[2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('where = "/submit"', ["/submit"]),
        ('where = f"/submissions/{id}"', ["/submissions/{}"]),
        ('where = f"{API}/submissions/{id}"', ["{}/submissions/{}"]),
        ('where = "/" if official else name', ["/"]),
        ('headers = {"Location": "/admin"}', ["/admin"]),
        ('web.get("/about", about)', ["/about"]),
        ('@router.get("/status", reply="It.")\ndef f(): ...', []),
        ('text.split("/")', []),
        ('text = "seconds / request"', []),
    ],
)
def test_the_search_finds_addresses_in_python(text: str, found: list[str]) -> None:
    assert list(written_in_python(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<a class="brand" href="/">', ["/"]),
        ("<a href='/about#judge'>", ["/about#judge"]),
        ("{{ '/' if official else '/community' }}", ["/", "/community"]),
        ("fetch(`/api/v1/submissions/${id}`)", ["/api/v1/submissions/${id}"]),
        ("<code>/api/v1/status</code>", ["/api/v1/status"]),
        ("a { background: url(/static/icon.svg) }", ["/static/icon.svg"]),
        ('<p>a</p><br/> // "and" <path d="M6 17h5"/>', []),
        ("<a href=\"{{ url('about') }}#judge\">", []),
    ],
)
def test_the_search_finds_addresses_in_templates_and_scripts(text: str, found: list[str]) -> None:
    assert list(written_in_markup(text)) == found


def test_no_address_is_written_where_it_is_used() -> None:
    written = {
        (str(path.relative_to(GATEWAY)), found)
        for pattern, search in (
            ("*.py", written_in_python),
            ("pages/templates/*.html", written_in_markup),
            ("pages/static/*.css", written_in_markup),
            ("pages/static/*.js", written_in_markup),
            ("pages/static/*.svg", written_in_markup),
        )
        for path in GATEWAY.rglob(pattern)
        if path != OWN
        for found in search(path.read_text())
    }
    assert written == NO_ADDRESSES.keys()


def test_every_name_is_one_that_there_is() -> None:
    named = {
        name
        for path in GATEWAY.rglob("*")
        if path.suffix in (".html", ".py")
        for name in re.findall(r"\b(?:url\(|PAGES\[)['\"](\w+)['\"]", path.read_text())
    }
    sections = re.findall(r"Section\(\s*\"(\w+)\"", _python_of("pages"))
    assert len(named) > 30
    assert len(sections) > 8
    assert named | set(sections) <= PAGES.keys() | OPERATIONS.keys()


def test_what_is_linked_to_is_an_operation() -> None:
    declared = {API + each.path for feature in FEATURES for each in feature.router.declared}
    of_the_description = {"api_description", "api_schemas", "api_schema", "api_types"}
    assert set(OPERATIONS.values()) - declared == {OPERATIONS[each] for each in of_the_description}


def test_parts_of_an_address_are_quoted() -> None:
    assert url("entry", board="official", id="a/b?c#d") == "/boards/official/entries/a%2Fb%3Fc%23d"
    assert url("admin_audit", query={"subject": "a&b c"}) == "/admin/audit?subject=a%26b%20c"
    with pytest.raises(KeyError):
        url("entry", board="official")


def test_an_absolute_address_has_the_sites_origin() -> None:
    assert Site.of("https://board.example/").absolute(url("feed")) == (
        "https://board.example/feed.atom"
    )
    assert Site.of(None).absolute(url("feed")) == "/feed.atom"


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("/?a=b", "set it to https://board.example/$"),
        ("?a=b", "set it to https://board.example$"),
        ("/a#top", "set it to https://board.example/a$"),
        ("/a/../b", "choose one like https://board.example/leaderboard"),
        ("/a//b", "choose one like"),
        ("/caf%C3%A9", "choose one like"),
        ("/api", "begins like one of the gateway's own, /api; choose another"),
        ("/official/board", "the gateway's own, /official"),
        ("/metrics/", "the gateway's own, /metrics"),
    ],
)
def test_what_is_no_place_of_a_site_is_refused_with_the_cure(end: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_public_url(f"https://board.example{end}")
    with pytest.raises(ValidationError):
        GatewaySettings(public_url=f"https://board.example{end}")


@pytest.mark.parametrize(
    "site", ["https://board.example", "http://board.example:8080/", "https://board.example/a.b/c/"]
)
def test_a_site_is_a_host_and_a_path(site: str) -> None:
    assert GatewaySettings(public_url=site).public_url == site


def test_every_address_of_a_site_begins_with_its_path() -> None:
    site = Site.of("https://board.example/a/b/")
    with site.serving():
        assert url("official") == "/a/b/"
        assert url("entry", board="official", id=1) == "/a/b/boards/official/entries/1"
        assert site.absolute(url("feed")) == "https://board.example/a/b/feed.atom"
        with Site.of(None).serving():
            assert url("official") == "/"
        assert asyncio.run(_in_a_task()) == "/a/b/about"
    assert url("official") == "/"


def test_a_guess_is_no_address_of_a_page() -> None:
    assert not GUESSED.keys() & PAGES.values()
    assert set(GUESSED.values()) <= PAGES.keys()


def test_what_leads_on_stays_on_the_site() -> None:
    with Site.of("https://board.example/a").serving():
        assert address_of("//evil.example/x/") == "/a/evil.example/x"
        assert address_of("\\\\evil.example") == "/a/%5C%5Cevil.example"
        assert address_of("") == "/a/"


async def _in_a_task() -> str:
    return await asyncio.create_task(asyncio.to_thread(url, "about"))


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("/board", "/"),
        ("/board/", "/"),
        ("/board?a=/board/", "/?a=/board/"),
        ("/board/board/x", "/board/x"),
        ("/boards/official", "/boards/official"),
        ("/about", "/about"),
        ("/", "/"),
        ("//board/about", "//board/about"),
    ],
)
def test_routes_know_nothing_of_the_path(address: str, known: str) -> None:
    assert inside(address) == address
    with Site.of("https://x.example/board").serving():
        assert inside(address) == known


def _python_of(room: str) -> str:
    return "\n".join(path.read_text() for path in (GATEWAY / room).glob("*.py"))
