"""What the documents name is there: files, headings, commands with their options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from typer.main import get_command

from medvid.cli.main import app
from tests.deploy.manifests import ROOT

PAGES: Final = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCED: Final = re.compile(r"```.*?```", re.DOTALL)
FOLDERS: Final = "benchmarks|client|demo|deploy|docs|medvid|requirements|scripts|services|tests"
NAMED: Final = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/[\w./-]+\.\w+")
COMMAND: Final = re.compile(r"^(?:\S*/)?medvid ([a-z].*)")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchor(heading: str) -> str:
    """Return a heading's anchor, as GitHub and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pages
def test_its_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text())):
        if re.match(r"\w+:", link):
            continue
        name, _, part = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if part:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert part in map(anchor, headings), link


def test_every_page_stands_in_the_menu_of_the_site() -> None:
    """But decisions, of which the site makes a list."""
    menu = set(re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text()))
    folder = ROOT / "docs"
    written = {str(page.relative_to(folder)) for page in folder.rglob("*.md")}
    assert {page for page in written - menu if not page.startswith("adr/")} == set()
    made = {page for page in menu if page.startswith("reference/")} | {"adr/index.md"}
    assert menu - written == made


@pages
def test_its_files_exist(page: Path) -> None:
    if page.name == "upgrading.md":  # it names what is gone
        return
    named = set(NAMED.findall(page.read_text()))
    assert {each for each in named if not (ROOT / each).exists()} == set()


def commands(text: str) -> Iterator[str]:
    """Yield what a page has after `medvid`: in lines of a terminal, and in the text."""
    whole = text.replace("\\\n", " ")
    inline = (found.replace("\n", " ") for found in re.findall(r"`([^`]+)`", FENCED.sub("", whole)))
    for line in (*re.findall(r"^\$ (.*)$", whole, re.MULTILINE), *inline):
        for part in re.split(r"[|;&]+", line.partition(" #")[0]):
            if found := COMMAND.match(part.strip()):
                yield found[1]


def unknown(words: list[str]) -> list[str]:
    """Return the words that are no command, or no option of it."""
    command: Any = get_command(app)
    while hasattr(command, "commands"):
        if not words or not re.fullmatch(r"[a-z-]+", words[0]):
            return []
        name, *words = words
        if name not in command.commands:
            return [name]
        command = command.commands[name]
    context = typer.Context(command, resilient_parsing=True)
    whole = command.make_context(command.name, [], context, resilient_parsing=True).command
    known = {name for each in whole.params for name in (*each.opts, *each.secondary_opts)}
    return [each for each in words if re.match(r"--?[a-z]", each)
            and each.partition("=")[0] not in known]  # fmt: skip


@pages
def test_its_commands_and_options_exist(page: Path) -> None:
    for each in commands(page.read_text()):
        assert unknown(each.split()) == [], each


def test_a_command_that_is_gone_would_be_found() -> None:
    found = list(commands("$ .venv/bin/medvid nonsense x\n`medvid score\na --gone` and `medvid`"))
    assert [unknown(each.split()) for each in found] == [["nonsense"], ["--gone"]]
    assert sum(len(list(commands(page.read_text()))) for page in PAGES) > 50
