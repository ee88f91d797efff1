"""Results as other tools read them: each passes its own schema, and its text is only text."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import duckdb
import orjson
import pytest
import yaml
from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from jsonschema import Draft7Validator, FormatChecker

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.cli.parquet import write_parquet
from medvid.models.boards import BoardSeries, RankStatistics
from medvid.models.comparisons import EntryComparison, MetricDifference
from medvid.models.entries import EntryDetails, EntryScore, Interval, Place, Provenance
from medvid.models.facts import TEST_VIDEOS, BoardFacts, FactFilters, ModelFacts
from medvid.models.judging import JudgeResult
from medvid.models.site import SiteLinks
from services.gateway.boards.citations import board_bibtex, citation_cff, entry_bibtex, paper_bibtex
from services.gateway.boards.every_eval_ever import every_eval_ever
from services.gateway.boards.hub_results import eval_results, model_index
from services.gateway.boards.models import MeasuredBoard, MeasuredEntry, page_of
from services.gateway.boards.narrowing import Narrowing
from services.gateway.boards.quoting import latex, markdown_text, yaml_text
from services.gateway.boards.spreadsheet import board_csv
from services.gateway.boards.tables import (
    board_table,
    latex_table,
    markdown,
    side_by_side,
    table_csv,
)
from services.gateway.web.site import Paper, Site
from shared.runtime.errors import NotFound

SCHEMAS: Final = Path(__file__).parents[2] / "cases" / "schemas"
MOMENT: Final = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOSTILE: Final = r"\input{x}_50% & $a$ #1 | <b>`~^ *z*"
JUDGE: Final = "judge-1"
SITE: Final = Site.of(
    "https://board.example/bench",
    SiteLinks(
        paper="https://arxiv.org/abs/2512.06581",
        data="https://huggingface.co/datasets/lab/bench",
        code="https://code.example/bench",
    ),
    Paper("A Benchmark of Videos", ("Ada Lovelace", "Turing, Alan"), 2025),
    "The {Lab}",
)


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with SITE.serving():
        yield


def row(rank: int | None, **changes: Any) -> MeasuredEntry:
    return MeasuredEntry(
        **{
            "rank": rank,
            "entry_id": UUID(int=rank or 99),
            "model_name": f"Model {rank}",
            "organization": "Lab",
            "submitted_on": date(2026, 1, 2),
            "mean_rank": rank and float(rank),
            "values": dict.fromkeys(METRIC_KEYS, rank and 0.9 - rank / 10),
            "ranks": dict.fromkeys(METRIC_KEYS, rank) if rank else {},
            "statistics": rank
            and RankStatistics(rank_low=1, rank_high=2, first_share=0.5, may_be_best=True),
            "intervals": {"cvs_acc": (0.7, 0.85)},
            **changes,
        }
    )


BOARD: Final = MeasuredBoard.empty("community", "compat").model_copy(
    update={
        "revision": 12,
        "snapshot": 81,
        "permalink": "/bench/api/v1/snapshots/81",
        "updated_at": MOMENT,
        "series": BoardSeries(current=JUDGE, other_judges="missing", published="ranked"),
        "entries": [
            row(1, model_name=HOSTILE),
            row(2, series={"dvc_llm": "judge-2"}, withheld={"sa_acc": "too_few_answers"},
                values=dict.fromkeys(METRIC_KEYS, 0.5) | {"sa_acc": None}),
            row(None),
        ],
    }
)  # fmt: skip
INTERVAL: Final = Interval(se=0.02, low=0.7, high=0.85, clusters=80, undefined=0, few_videos=False)


def entry(**changes: Any) -> EntryDetails:
    score = {"strict": 0.6, "answered": 600, "expected": 648, "coverage": 0.9259, "by_source": {}}
    known = Provenance(
        ground_truth_version="g", metric_version="2", judge_version=None, file_sha256="f"
    )
    judged = known.model_copy(update={"judge_version": JUDGE})
    facts: dict[str, Any] = {
        "id": UUID(int=1), "board": "community", "model_name": HOSTILE, "organization": "Lab & Co",
        "team": None, "authors": "Ada Lovelace, Alan Turing", "model_url": None, "track": None,
        "badges": ["partial coverage"], "submitted_on": date(2026, 1, 2), "verified_on": None,
        "submission_id": UUID(int=7), "url": "/bench/api/v1/x", "page": "/bench/boards/community/x",
        "places": [Place(scoring="compat", rank=1, of=2, mean_rank=1.0, ranks={})],
        "scores": [
            EntryScore(metric="cvs_acc", compat=0.8, intervals={"compat": INTERVAL},
                       provenance=known, **score),
            EntryScore(metric="sa_acc", compat=None, provenance=known, **score | {"strict": None}),
            EntryScore(metric="dvc_llm", compat=3.25, provenance=judged,
                       **score | {"strict": None}),
        ],
        "judge": JudgeResult(judge_version=JUDGE, judge={"model": "gpt", "rubric": "v2"},
                             stub=False, completed_at=MOMENT, facts={}),
        "history": [],
    }  # fmt: skip
    return EntryDetails(**facts | changes)


def valid(found: Any, schema: str) -> bool:
    known = orjson.loads((SCHEMAS / schema).read_bytes())
    Draft7Validator.check_schema(known)
    problems = list(Draft7Validator(known, format_checker=FormatChecker()).iter_errors(found))
    assert not problems, problems[0]
    return True


PANEL: Final = {
    "combine": "median",
    "members": [
        {"judge_version": name, "weight": 1.0, "provider": "openai", "model": name}
        for name in ("a", "b")
    ],
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"submission_id": None, "judge": None, "badges": []},
        {
            "facts": ModelFacts(
                parameters=7_000_000_000,
                open_weights=True,
                access="local",
                trained_on=[],
                uses_test_videos=True,
                prompt="Say it.",
            )
        },
        {"judge": entry().judge.model_copy(update={"judge": PANEL})},
    ],
)
def test_a_record_of_every_eval_ever_passes_its_schema(changes: dict[str, Any]) -> None:
    record = orjson.loads(every_eval_ever(entry(**changes), BOARD))
    assert valid(record, "every_eval_ever-0.3.0.json")
    found = {each["metric_config"]["metric_id"]: each for each in record["evaluation_results"]}
    assert list(found) == [
        "medvidbench.cvs_acc", "medvidbench.cvs_acc.strict", "medvidbench.dvc_llm",
    ]  # fmt: skip
    uncertainty = found["medvidbench.cvs_acc"]["score_details"]["uncertainty"]
    assert uncertainty["confidence_interval"] | {"method": ""} == {
        "lower": 0.7, "upper": 0.85, "confidence_level": 0.95, "method": "",
    }  # fmt: skip
    assert "uncertainty" not in found["medvidbench.cvs_acc.strict"]["score_details"]
    judged = found["medvidbench.dvc_llm"]["metric_config"].get("llm_scoring")
    assert (judged is not None) == (changes.get("judge", True) is not None)
    run = "documentation" if "submission_id" in changes else "evaluation_run"
    assert record["source_metadata"]["source_type"] == run
    model = record["model_info"]["additional_details"]
    if "facts" in changes:
        assert model == {
            "deployment_type": "self_deployed", "model_availability": "open_weights",
            "parameters": "7000000000", "trained_on": "none", "uses_test_videos": "true",
            "authors": "Ada Lovelace, Alan Turing",
        }  # fmt: skip
        assert "; trained on test videos; rank" in eval_results(entry(**changes), BOARD)
    else:
        assert set(model.values()) == {"unknown", "Ada Lovelace, Alan Turing"}


def test_results_for_the_hub_are_what_its_own_client_reads() -> None:
    found = yaml.safe_load(eval_results(entry(), BOARD))
    entries = parse_eval_result_entries(found)
    assert eval_result_entries_to_yaml(entries) == found  # nothing in it that the Hub does not know
    assert [(each.dataset_id, each.task_id, each.value) for each in entries] == [
        ("lab/bench", "cvs_acc", 0.8),
        ("lab/bench", "dvc_llm", 3.25),
    ]
    assert entries[0].source_url == "https://board.example/bench/boards/community/x"
    assert entries[0].notes == (
        "community board, compat scoring; 95 % interval 0.7000 to 0.8500; "
        "rank 1–2 of 2 on 2026-03-05"  # noqa: RUF001
    )
    index = yaml.safe_load(model_index(entry(), BOARD))["model-index"]
    name, results = model_index_to_eval_results(index)
    assert eval_results_to_model_index(name, results) == index
    assert (name, results[0].metric_name, results[0].metric_value) == (HOSTILE, "CVS_acc", 0.8)


def test_without_a_data_set_on_the_hub_there_is_nothing_for_its_leaderboard() -> None:
    with Site.of(None, SiteLinks(data="https://lab.example/data")).serving():
        with pytest.raises(NotFound, match="data set of the Hub") as error:
            eval_results(entry(), BOARD)
        assert "MEDVID_DATA_URL" in error.value.fix
        index = yaml.safe_load(model_index(entry(), BOARD))["model-index"]
        _, results = model_index_to_eval_results(index)  # without an address there is no source
        assert (results[0].dataset_type, results[0].source_url) == ("medvidbench", None)


def test_a_citation_file_passes_its_schema() -> None:
    found = yaml.safe_load(citation_cff(BOARD))
    assert valid(found, "citation-file-format-1.2.0.json")
    assert found["url"] == "https://board.example/bench/boards/community/snapshots/81"
    (paper,) = found["references"]
    assert paper["authors"] == [
        {"family-names": "Lovelace", "given-names": "Ada"},
        {"family-names": "Turing", "given-names": "Alan"},
    ]
    with Site().serving():
        assert valid(
            yaml.safe_load(citation_cff(MeasuredBoard.empty("official", "compat"))),
            "citation-file-format-1.2.0.json",
        )


def test_bibtex_has_authors_and_addresses_and_no_commands_of_others() -> None:
    board, one, paper = board_bibtex(BOARD), entry_bibtex(entry(), BOARD), paper_bibtex() or ""
    for found in (board, one, paper):
        assert re.fullmatch(r"@misc\{[a-z0-9-]+,\n(  \w+ += \{.*\},?\n)+\}\n", found), found
        depth = 0
        for sign in found:
            depth += {"{": 1, "}": -1}.get(sign, 0)
            assert depth >= 0
        assert depth == 0
        assert r"\input" not in found
    state = r"\url{https://board.example/bench/boards/community/snapshots/81}"
    assert f"howpublished = {{{state}}}" in board
    assert r"{{The \textbraceleft{}Lab\textbraceright{}}}" in board
    assert "author       = {Ada Lovelace and Alan Turing}" in one
    assert "Rank 1–2 of 2" in one  # noqa: RUF001
    assert "{2512.06581}" in paper
    assert r"\url{https://arxiv.org/abs/2512.06581}" in paper
    with Site().serving():
        assert paper_bibtex() is None


@pytest.mark.parametrize(
    ("authors", "cited"),
    [
        ("Ada Lovelace; Alan Turing", "{Ada Lovelace and Alan Turing}"),
        ("Ada Lovelace and Alan Turing", "{Ada Lovelace and Alan Turing}"),
        ("A. Lovelace, A. Turing & B. Liskov", "{A. Lovelace and A. Turing and B. Liskov}"),
        ("The team of the lab", "{{The team of the lab}}"),
        ("Lovelace, Turing", "{{Lovelace, Turing}}"),  # two people, or one?
        (None, r"{{Lab \& Co}}"),
    ],
)
def test_authors_are_split_where_it_is_plain(authors: str | None, cited: str) -> None:
    assert f"author       = {cited}" in entry_bibtex(entry(authors=authors), BOARD)


def test_a_table_has_intervals_its_date_and_plain_text() -> None:
    text = markdown(board_table(BOARD))
    lines = text.splitlines()
    assert "revision 12 of 2026-03-05" in lines[0]
    assert "(<https://board.example/bench/boards/community/snapshots/81>)" in lines[0]
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")]
    assert cells == [len(METRIC_KEYS) + 6] * 5
    assert "<b>" not in text.replace(r"\<b\>", "")
    assert "**0.800** [0.700, 0.850]" in lines[4]
    assert "| 0.500‡ |" in lines[5]
    assert "| – |" in lines[5]  # noqa: RUF001
    assert "‡: of another judge" in text
    tex = latex_table(board_table(BOARD))
    assert r"\input" not in tex
    assert r"\textbf{0.800} {\tiny [0.700, 0.850]}" in tex
    assert {line.count(" & ") for line in tex.splitlines() if line.endswith(r"\\")} == {14}


def test_models_side_by_side_have_their_differences() -> None:
    different = EntryComparison(
        a=UUID(int=2), b=UUID(int=1), scoring="compat", ground_truth_version="g",
        statistics_version="1", minimum_detectable={},
        metrics={
            "cvs_acc": MetricDifference(difference=-0.1, se=0.02, low=-0.14, high=-0.06, p=0.001,
                                        p_holm=0.01, few_videos=False),
        },
    )  # fmt: skip
    found = side_by_side([(BOARD, each) for each in BOARD.entries[:2]], [different])
    text = markdown(found)
    assert r"| CVS\_acc | **0.800** [0.700, 0.850] | 0.500 [0.700, 0.850] |" in text
    assert r"| CVS\_acc, difference |  | -0.100\* [-0.140, -0.060] |" in text
    header, *rows = csv.reader(table_csv(found).splitlines())
    second = ["Model 2", "Model 2 low", "Model 2 high", "Model 2 mark"]
    assert header == ["Metric", HOSTILE, f"{HOSTILE} low", f"{HOSTILE} high", *second]
    assert len(rows) == 2 + 2 * len(METRIC_KEYS)
    by_metric = {name: dict(zip(header[1:], cells, strict=True)) for name, *cells in rows}
    shown = [[by_metric[name][column] for column in second]
             for name in ("CVS_acc, difference", "DVC_llm")]  # fmt: skip
    assert shown == [["-0.100", "-0.140", "-0.060", "*"], ["0.500", "", "", "\u2021"]]
    alone = markdown(side_by_side([(BOARD, BOARD.entries[0])], []))
    assert "difference" not in alone

    official = BOARD.model_copy(update={"board": "official", "revision": 3})
    both = side_by_side([(official, BOARD.entries[0]), (BOARD, BOARD.entries[1])], [different])
    text = markdown(both)
    assert "official board, compat scoring, revision 3" in text
    assert "; community board, compat scoring, revision" in text
    assert "| Board | official | community |" in text
    assert "Each rank is on the model's own board." in text
    assert f"board=both&models={UUID(int=1)},{UUID(int=2)}" in text


@pytest.mark.parametrize(
    ("name", "in_latex", "in_markdown"),
    [
        ("<a|b>", r"\textless{}a\textbar{}b\textgreater{}", r"\<a\|b\>"),  # else ¡a—b¿
        ('say "a', r"say {\char34}a", 'say "a'),  # an umlaut in German documents
        ("--''?`x", r"-{}-'{}'?\textasciigrave{}x", r"--''?\`x"),
        ("$x^2$", r"\$x\textasciicircum{}2\$", r"\$x^2\$"),  # no formula
        ("Queen's 3-D", "Queen's 3-D", "Queen's 3-D"),
    ],
)
def test_names_are_shown_as_they_are(name: str, in_latex: str, in_markdown: str) -> None:
    """Neither as commands nor as the signs that are made of others."""
    assert (latex(name), markdown_text(name)) == (in_latex, in_markdown)


def test_a_table_says_what_it_leaves_out() -> None:
    """It is pasted where nobody sees the address that it is from."""
    facts = BoardFacts(parameters=7_000_000_000, open_weights=True, uses_test_videos=True)
    stated = [row(rank, facts=facts, badges=[TEST_VIDEOS]) for rank in (1, 2)]
    whole = BOARD.model_copy(update={"entries": [*stated, row(3)], "total": 3})
    narrowing = Narrowing(FactFilters(open_weights=True, max_params=8_000_000_000), rerank=True)
    text = markdown(board_table(page_of(whole, track=None, limit=1, narrowing=narrowing)))
    caption, *_, notes = text.split("\n\n")
    assert r"models with open\_weights=true and max\_params=8000000000, 1 of 2 models" in caption
    assert "Place: among these models" in notes
    assert "\u00a7: trained on test videos." in notes
    assert "| Model 1\u00a7 |" in text
    assert "models with" not in markdown(board_table(whole))


def test_a_table_says_that_its_names_need_a_font() -> None:
    named = BOARD.model_copy(update={"entries": [row(1, model_name="\u6a21\u578b")]})
    assert "XeLaTeX" in latex_table(board_table(named))
    assert "XeLaTeX" not in latex_table(board_table(BOARD))


@pytest.mark.parametrize(
    "name",
    ["1e3", "-1e-3", "0o17", "0x1F", "0b1", ".5", "+1", "1_000", "12:30", "2026-01-02", "null",
     "~", "on", "- a", "a: b", "a #b", "!a", "&a", "*a", "{a", "| a"],
)  # fmt: skip
def test_names_in_yaml_are_no_numbers_to_any_of_its_readers(name: str) -> None:
    """YAML 1.2, as JavaScript reads it, has other numbers than the 1.1 of Python."""
    text = yaml_text({"name": name}, width=100)
    assert text == f"name: '{name}'\n"
    assert yaml.safe_load(text) == {"name": name}


def test_only_what_could_be_misread_is_quoted_in_yaml() -> None:
    plain = {"name": "Qwen2.5-VL 7B", "value": 0.5, "small": 1e-05, "of": 12, "is": True}
    text = yaml_text(plain, width=100)
    assert text == "name: Qwen2.5-VL 7B\nvalue: 0.5\nsmall: 1.0e-05\nof: 12\nis: true\n"


def test_models_with_other_letters_have_ids_of_their_own() -> None:
    names = ("\u6a21\u578b\u7532", "\u6a21\u578b\u4e59", "Model+", "Model")
    records = [
        orjson.loads(every_eval_ever(entry(id=UUID(int=place << 96), model_name=name), BOARD))
        for place, name in enumerate(names)
    ]
    assert len({record["model_info"]["id"] for record in records}) == len(names)
    known = entry(organization="Qwen", model_name="Qwen2.5-VL 7B")
    record = orjson.loads(every_eval_ever(known, BOARD))
    assert record["model_info"]["id"] == "qwen/qwen2-5-vl-7b"


def test_names_are_texts_in_parquet_whatever_they_are(tmp_path: Path) -> None:
    named = BOARD.model_copy(
        update={"entries": [row(1, model_name="true", organization="1", authors="=1")]}
    )
    file = tmp_path / "board.parquet"
    write_parquet(board_csv(named), file, {})
    with duckdb.connect() as database:
        (found,) = (
            database.read_parquet(str(file)).project("model_name, organization, authors").fetchall()
        )
    assert found == ("true", "1", "=1")
