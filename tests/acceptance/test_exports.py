"""Results that leave for other tools: in every form, complete, and no more than the JSON says."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4
from xml.etree.ElementTree import fromstring

import orjson
import pytest
import yaml
from PIL import Image

from medvid import AsyncClient
from medvid.cli.parquet import write_parquet
from services.gateway.boards.store import SnapshotStore
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, running_gateway
from tests.acceptance.test_commands import Shell
from tests.depth import deep
from tests.rows import accept_submission, add_listed_entry

API: Final = "/api/v1"
NAMES: Final = ("First = best", "=SUM(1)", "Łukasz 模型 & <b>co</b>")
FORMS: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "latex": "text/x-tex; charset=utf-8",
    "bibtex": "application/x-bibtex; charset=utf-8",
    "cff": "application/yaml; charset=utf-8",
}
ENTRY_FORMS: Final = ("bibtex", "eval-results", "model-index", "every-eval-ever")
SETTINGS: Final = {
    "public_url": "https://board.example/bench",
    "data_url": "https://huggingface.co/datasets/lab/bench",
    "frame_ancestors": "https://lab.example https://*.uni.example",
    "board_poll_seconds": 0.02,
}


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database, load=False, **SETTINGS) as running:
        yield running


@pytest.fixture
async def entries(gateway: Gateway) -> list[UUID]:
    """Three ranked entries; of the first a value is withheld, and its submission has a contact."""
    found = [
        await add_listed_entry(gateway.database, name, {"cvs_acc": 0.5 - place / 10})
        for place, name in enumerate(NAMES)
    ]
    pool = gateway.database.pool
    sent = await accept_submission(gateway.database, "Sent, and listed as another")
    await pool.execute("UPDATE submissions SET contact = 'secret@lab.example'")
    await pool.execute("UPDATE entries SET submission_id = NULL WHERE id = $1", sent.entry_id)
    await pool.execute(
        "UPDATE entries SET submission_id = $2 WHERE id = $1", found[0], sent.submission_id
    )
    await pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,"
        " ground_truth_version, metric_version, file_sha256)"
        " SELECT $1, 'nap_acc', 0.7771, 0.7772, 5, 40, $2::text::jsonb, version, '1',"
        " repeat('a', 64) FROM ground_truths",
        found[0],
        '{"AVOS": {"compat": 0.7773, "strict": null, "answered": 5, "expected": 40}}',
    )
    await pool.execute(
        "UPDATE entries SET facts = $2::text::jsonb WHERE id = $1",
        found[1],
        '{"parameters": 7000000000, "open_weights": true, "released_on": "2026-01-02"}',
    )
    await add_listed_entry(gateway.database, "Hidden", {"cvs_acc": 0.999})
    await pool.execute("UPDATE entries SET listed = false WHERE model_name = 'Hidden'")
    await gateway.rank_listed()
    return found


async def read(gateway: Gateway, path: str, **headers: str) -> str:
    status, _, body = await gateway.get(path, **headers)
    assert status == 200, body
    return body.decode()


def lines(text: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in text.splitlines()]


async def test_a_board_can_be_had_in_every_form(gateway: Gateway, entries: list[UUID]) -> None:
    for form, content_type in FORMS.items():
        path = f"{API}/leaderboards/community?format={form}"
        status, headers, body = await gateway.get(path)
        assert (status, headers["Content-Type"]) == (200, content_type)
        assert "attachment" in headers["Content-Disposition"]
        status, _, again = await gateway.get(path, If_None_Match=headers["ETag"])
        assert (status, again) == (304, b"")
        accept = content_type.partition(";")[0]
        assert await read(gateway, f"{API}/leaderboards/community", Accept=accept) == body.decode()
    board = orjson.loads(await read(gateway, f"{API}/leaderboards/community"))
    rows = lines(await read(gateway, f"{API}/leaderboards/community?format=jsonl"))
    assert [row["entry_id"] for row in rows] == [str(entry) for entry in entries]
    for row, entry in zip(rows, board["entries"], strict=True):
        assert row.items() >= entry.items()
        assert row["snapshot"] == board["snapshot"]
    accept = {"Accept": "text/x-tex"}
    assert r"\toprule" in await read(gateway, f"{API}/snapshots/{board['snapshot']}", **accept)
    first = await gateway.get(f"{API}/leaderboards/community?format=jsonl&limit=2")
    assert first[1]["X-Total-Count"] == "3"
    assert "X-Total-Count" in first[1]["Access-Control-Expose-Headers"]  # to other sites' scripts
    following = re.findall("<(/bench[^>]*)>", first[1]["Link"])
    assert len(lines(await read(gateway, following[0].removeprefix("/bench")))) == 1


async def test_an_entry_can_be_had_in_every_form(gateway: Gateway, entries: list[UUID]) -> None:
    for form in ENTRY_FORMS:
        text = await read(
            gateway, f"{API}/leaderboards/community/entries/{entries[0]}/export?format={form}"
        )
        assert NAMES[0] in text or form == "eval-results"
        assert "0.5" in text or form == "bibtex"
    page = await read(gateway, f"/boards/community/entries/{entries[0]}")
    linked = re.findall(r'href="/bench(/api/v1/[^"]*export\?format=[\w-]+)"', page)
    assert {each.rpartition("=")[2] for each in linked} == set(ENTRY_FORMS)
    status, _, body = await gateway.get(
        f"{API}/leaderboards/community/entries/{uuid4()}/export?format=bibtex"
    )
    assert (status, orjson.loads(body)["code"]) == (404, "entry_not_found")


async def test_the_hub_needs_to_know_the_data_set(database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        entry = await add_listed_entry(database, "A", {"cvs_acc": 0.5})
        await gateway.rank_listed()
        path = f"{API}/leaderboards/community/entries/{entry}/export?format=eval-results"
        status, _, body = await gateway.get(path)
        assert (status, orjson.loads(body)["code"]) == (404, "hub_dataset_not_set")
        assert "eval-results" not in await read(gateway, f"/boards/community/entries/{entry}")


async def test_all_results_are_those_of_the_json(gateway: Gateway, entries: list[UUID]) -> None:
    found = lines(await read(gateway, f"{API}/results"))
    kinds = [each.pop("kind") for each in found]
    assert [kinds.count(kind) for kind in ("about", "board", "row", "entry")] == [1, 4, 6, 3]
    for line in (each for each, kind in zip(found, kinds, strict=True) if kind == "entry"):
        path = f"{API}/leaderboards/community/entries/{line['id']}"
        details = orjson.loads(await read(gateway, path))
        del details["history"]
        assert line == details
    withheld = next(each for each in found if each.get("id") == str(entries[0]))["scores"][1]
    assert (withheld["compat"], withheld["withheld"]) == (None, "too_few_answers")


async def test_nothing_private_leaves_in_any_form(gateway: Gateway, entries: list[UUID]) -> None:
    board, entry = f"{API}/leaderboards/community", entries[0]
    paths = [
        *(f"{board}?format={form}" for form in FORMS),
        *(f"{board}/entries/{entry}/export?format={form}" for form in ENTRY_FORMS),
        *(f"{board}/side-by-side?models={entry}&format={form}" for form in ("markdown", "latex")),
        f"{board}/history",
        f"{API}/results",
        "/framed/community?columns=nap_acc",
        f"/boards/community/entries/{entry}",
        "/community",
    ]
    for path in paths:
        text = await read(gateway, path)
        for private in ("secret@", "Hidden", "0.777", "0.999"):
            assert private not in text, (path, private)


async def test_the_history_of_all_entries_comes_in_pages(
    gateway: Gateway, entries: list[UUID]
) -> None:
    await add_listed_entry(gateway.database, "New best", {"cvs_acc": 0.9})
    await gateway.rank_listed()
    async with AsyncClient(gateway.url) as client:
        whole = [each async for each in client.history("community")]
    status, headers, body = await gateway.get(f"{API}/leaderboards/community/history?limit=3")
    assert status == 200
    (following,) = re.findall("<(/bench[^>]*)>", headers["Link"])
    rest = await read(gateway, following.removeprefix("/bench"))
    assert [orjson.loads(each.model_dump_json()) for each in whole] == lines(body.decode() + rest)
    first = [each for each in whole if each.entry_id == entries[0] and each.scoring == "compat"]
    assert [(each.rank, each.until is None) for each in first] == [(2, True), (1, False)]


async def test_a_page_of_history_ends_where_it_is_long(database: Database) -> None:
    await accept_submission(database)
    for place in range(21):
        await add_listed_entry(database, f"M{place}", {"cvs_acc": 0.5})
    await database.pool.execute(
        "INSERT INTO rank_history SELECT id, 'community', 'compat', 1, true, 1, now()"
        " FROM entries WHERE listed"
    )
    store = SnapshotStore(database)
    entries, ranks, more = await store.ranks("community", None, 500, spans=1_000, most=1)
    assert (len(entries), len(ranks), more) == (20, 20, True)
    last, rest, more = await store.ranks("community", entries[-1]["id"], 500, spans=1_000)
    assert (len(last), len(rest), more) == (1, 1, False)


async def test_models_side_by_side(gateway: Gateway, entries: list[UUID]) -> None:
    named = ",".join(map(str, entries[:2]))
    path = f"{API}/leaderboards/community/side-by-side?models={named}"
    text = await read(gateway, path)
    assert r"First = best" in text
    assert r"| CVS\_acc | **0.500** | 0.400 |" in text
    assert f"/side-by-side?models={entries[0]}%2C{entries[1]}" in await read(
        gateway, f"/compare?board=community&models={named}"
    )
    seen = orjson.loads(await read(gateway, f"{path}&format=json"))
    assert [(each["model_name"], each["board"]) for each in seen["models"]] == [
        (name, "community") for name in NAMES[:2]
    ]
    assert [(each["a"], each["b"]) for each in seen["comparisons"]] == [
        (str(entries[1]), str(entries[0]))
    ]
    for wrong, code in (
        (f"models={uuid4()}", "entry_not_found"),
        ("models=a,b", "invalid_query"),
        (f"models={','.join(str(uuid4()) for _ in range(7))}", "invalid_query"),
    ):
        _, _, body = await gateway.get(f"{API}/leaderboards/community/side-by-side?{wrong}")
        assert orjson.loads(body)["code"] == code


async def test_both_boards_in_one_list_and_models_of_either_side_by_side(
    gateway: Gateway, entries: list[UUID]
) -> None:
    await gateway.database.pool.execute(
        "UPDATE entries SET board = 'official', facts = '{\"open_weights\": true}' WHERE id = $1",
        entries[1],
    )
    await gateway.database.pool.execute("UPDATE boards SET revision = revision + 1")
    for board in ("community", "official"):
        await gateway.rank_listed(board)
    both = f"{API}/leaderboards/both"
    async with AsyncClient(gateway.url) as client:
        found = await client.both_boards()
        narrowed = await client.both_boards(filters={"open_weights": True})
    assert [(each.model_name, each.board, each.rank) for each in found.entries] == [
        (NAMES[1], "official", 1), (NAMES[0], "community", 1), (NAMES[2], "community", 2),
    ]  # fmt: skip
    assert (found.total, [each.board for each in found.boards]) == (3, ["official", "community"])
    assert [each.model_name for each in narrowed.entries] == [NAMES[1]]
    assert narrowed.filters == {"open_weights": True}
    rows = [*csv.DictReader(io.StringIO(await read(gateway, f"{both}?format=csv")))]
    assert [(each["board"], each["entry_id"]) for each in rows] == [
        (each.board, str(each.entry_id)) for each in found.entries
    ]
    page = await read(gateway, "/both")
    assert f'{API}/leaderboards/both"' in page

    named = f"models={entries[0]},{entries[1]}"
    path = f"{API}/leaderboards/both/side-by-side?{named}"
    text = await read(gateway, path)
    assert "| Board | community | official |" in text
    assert r"\end{tabular}" in await read(gateway, f"{path}&format=latex")
    assert (await read(gateway, f"{path}&format=csv")).startswith("Metric,")
    seen = orjson.loads(await read(gateway, f"{path}&format=json"))
    assert [each["board"] for each in seen["models"]] == ["community", "official"]
    page = await read(gateway, f"/compare?board=both&{named}")
    assert page.count("/leaderboards/both/side-by-side?") == 4
    asked = f"{API}/leaderboards/both/comparisons?a={entries[1]}&b={entries[0]}"
    assert orjson.loads(await read(gateway, asked)) == seen["comparisons"][0]
    _, _, body = await gateway.get(f"{API}/leaderboards/official/side-by-side?{named}")
    assert orjson.loads(body)["code"] == "entry_not_found"


async def test_parquet_is_the_csv_with_types(
    gateway: Gateway, entries: list[UUID], tmp_path: Path
) -> None:
    """DuckDB reads both, and finds the same."""
    await gateway.rank("official", [], hint=False)
    async with AsyncClient(gateway.url) as client:
        table = await client.board_file("community")
    file, text = tmp_path / "board.parquet", tmp_path / "board.csv"
    text.write_text(table, newline="")
    assert write_parquet(table, file, {"board": "community"}) == len(entries)
    import duckdb  # dear, and for this alone

    with duckdb.connect() as database:
        parquet = database.read_parquet(str(file))
        written = database.read_csv(str(text), header=True, all_varchar=True)
        names, types = parquet.columns, dict(zip(parquet.columns, parquet.types, strict=True))
        assert written.columns == names
        typed = written.project(", ".join(f'"{name}"::{types[name]}' for name in names))
        ours, theirs = parquet.fetchall(), typed.fetchall()
    place = names.index("model_name")
    unmarked = [(*row[:place], row[place].removeprefix("'"), *row[place + 1 :]) for row in theirs]
    assert ours == unmarked
    assert [str(types[name]) for name in ("rank", "cvs_acc", "submitted_on", "model_name")] == [
        "BIGINT", "DOUBLE", "DATE", "VARCHAR",
    ]  # fmt: skip
    facts = [ours[1][names.index(name)] for name in ("parameters", "open_weights", "released_on")]
    assert facts == [7_000_000_000, True, date(2026, 1, 2)]
    assert ours[0][place] == NAMES[0]
    assert ours[1][place] == NAMES[1]  # no spreadsheet opens it: the mark against formulas is off
    assert next(csv.reader(io.StringIO(table))) == names


@deep
async def test_the_command_exports(gateway: Gateway, entries: list[UUID], tmp_path: Path) -> None:
    medvid, file = Shell(tmp_path, gateway.url), tmp_path / "board.md"
    done = await medvid("export", "community", "--format", "markdown", "-o", str(file))
    assert (done.status, done.out) == (0, "")
    shown = await read(gateway, f"{API}/leaderboards/community?format=markdown")
    assert file.read_text() == shown
    done = await medvid("export", "community", "--entry", NAMES[0].upper())
    assert done.out.startswith("@misc{medvidbench-first-best-"), done.err
    done = await medvid("export", "--all")
    assert lines(done.out)[-1]["kind"] == "entry"
    done = await medvid("export", "community", "--history")
    assert {each["entry_id"] for each in lines(done.out)} == set(map(str, entries))
    for wrong, said in (
        (("--all", "--history"), "Give one of them"),
        (("--format", "model-index"), "not of a board. It is one of csv, jsonl"),
        (("--entry", "x", "--format", "csv"), "It is one of bibtex, eval-results"),
        (("--all", "--format", "csv"), "Leave it out"),
        (("--entry", "x", "--scoring", "strict"), "are of a board"),
        (("--history", "--as-of", "2026-01-01"), "are of a board"),
        (("--parquet", "x.parquet", "-o", "y"), "Leave --output out"),
    ):
        done = await medvid("export", *wrong)
        assert (done.status, said in " ".join(done.err.split())) == (2, True), done.err


async def test_badges_tell_the_rank(gateway: Gateway, entries: list[UUID]) -> None:
    path = f"/boards/community/entries/{entries[1]}/badge.svg"
    status, headers, body = await gateway.get(path)
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    root = fromstring(body)  # noqa: S314 - the site's own
    assert root.get("aria-label") == "MedVidBench · rank 2"
    assert b"style" not in body  # so that a strict policy changes nothing
    status, _, _ = await gateway.get(path, If_None_Match=headers["ETag"])
    assert status == 304
    gone = f"/boards/community/entries/{uuid4()}/badge.svg"
    for known in ({}, {"If_None_Match": "*"}):  # who asks again gets a picture, too
        status, headers, body = await gateway.get(gone, **known)
        assert (status, headers["Content-Type"]) == (404, "image/svg+xml")
        assert b"not listed" in body
    for wrong in ("x", "%3Cscript%3E"):
        status, _, body = await gateway.get(f"/boards/community/entries/{wrong}/badge.svg")
        assert (status, b"script" in body) == (404, False)


async def test_pictures_of_a_board_and_an_entry(gateway: Gateway, entries: list[UUID]) -> None:
    for path in ("/boards/community/card.png", f"/boards/community/entries/{entries[2]}/card.png"):
        status, headers, body = await gateway.get(path)
        assert (status, headers["Content-Type"]) == (200, "image/png")
        picture = Image.open(io.BytesIO(body))
        assert (picture.format, picture.size) == ("PNG", (1200, 630))
        assert len(body) < 100_000
        assert len(picture.convert("L").getcolors() or ()) > 8  # something is written on it
        status, _, _ = await gateway.get(path, If_None_Match=headers["ETag"])
        assert status == 304
    page = await read(gateway, f"/boards/community/entries/{entries[2]}")
    shown = dict(
        re.findall(r'<meta (?:property|name)="((?:og|twitter):\w+)" content="([^"]*)"', page)
    )
    assert shown["og:image"] == (
        f"https://board.example/bench/boards/community/entries/{entries[2]}/card.png"
    )
    assert shown["og:title"] == "Łukasz 模型 &amp; &lt;b&gt;co&lt;/b&gt; – MedVidBench leaderboard"  # noqa: RUF001
    assert shown["twitter:card"] == "summary_large_image"
    status, _, _ = await gateway.get(f"/boards/community/entries/{uuid4()}/card.png")
    assert status == 404


async def test_what_search_engines_read_says_what_the_page_says(
    gateway: Gateway, entries: list[UUID]
) -> None:
    for path, kind in (("/community", "Dataset"), (f"/boards/community/entries/{entries[2]}",
                                                   "SoftwareApplication")):  # fmt: skip
        page = await read(gateway, path)
        (text,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)
        found = orjson.loads(text)
        assert (found["@context"], found["@type"]) == ("https://schema.org", kind)
        assert found["url"].startswith("https://board.example/bench/")
    assert found["name"] == NAMES[2]
    assert "<b>" not in text


async def test_boards_are_framed_by_the_sites_that_may(
    gateway: Gateway, database: Database
) -> None:
    _, headers, body = await gateway.get("/framed/community?limit=1")
    policy = headers["Content-Security-Policy"]
    assert policy.endswith("frame-ancestors https://lab.example https://*.uni.example")
    assert "script-src" not in policy
    assert b"<script" not in body
    for page in ("/community", "/submit", "/admin"):
        _, headers, _ = await gateway.get(page)
        assert headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
    async with running_gateway(database, load=False) as silent:
        _, headers, _ = await silent.get("/framed/community")
        assert headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
        assert "iframe" not in await read(silent, "/community")


async def test_the_boards_citation_is_where_it_is_looked_for(
    gateway: Gateway, entries: list[UUID]
) -> None:
    del entries
    found = yaml.safe_load(await read(gateway, "/CITATION.cff"))
    assert found["title"] == "MedVidBench leaderboard: official board"
    page = await read(gateway, "/community")
    assert r"howpublished = {\url{https://board.example/bench/boards/community/snapshots/" in page
