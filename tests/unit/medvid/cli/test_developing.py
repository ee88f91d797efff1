"""What helps while a model is developed: subsets, overlays, single answers, reports."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from typer.testing import CliRunner, Result

from medvid.benchmark import subsets
from medvid.benchmark.tasks import ASPECTS
from medvid.benchmark.test_set_file import load_test_set
from medvid.cli.main import app
from medvid.reports import html, markdown
from medvid.reports.document import ReportDocument, ReportSection
from tests.depth import deep
from tests.vision import DATA, Body, real_records, reply, vision_endpoint

TRUTH = str(DATA / "ground_truth.json.gz")
WEAK, STRONG = (str(DATA / f"predictions_{name}.json.gz") for name in ("weak", "strong"))
Row = dict[str, Any]


def medvid(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def rows(path: str | Path) -> list[Row]:
    data = Path(path).read_bytes()
    found: list[Row] = orjson.loads(gzip.decompress(data) if str(path).endswith(".gz") else data)
    return found


@pytest.fixture(scope="module")
def fifth(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """Every fifth sample: ground truth, the weak predictions, the strong ones."""
    folder = tmp_path_factory.mktemp("fifth")
    paths = []
    for name in (TRUTH, WEAK, STRONG):
        paths.append(folder / Path(name).stem)
        paths[-1].write_bytes(orjson.dumps(rows(name)[::5]))
    truth, weak, strong = map(str, paths)
    return truth, weak, strong


def test_a_subset_is_fixed_nested_and_bounded_by_type(tmp_path: Path) -> None:
    items = load_test_set((DATA / "test_set.json.gz").read_bytes()).items
    small, again = (subsets.draw(items, 5, 7) for _ in range(2))
    larger, other = subsets.draw(items, 20, 7), subsets.draw(items, 5, 8)
    assert small == again == sorted(small)
    assert set(small) < set(larger)
    assert small != other
    counts = Counter(items[index].qa_type for index in larger)
    available = Counter(item.qa_type for item in items)
    assert counts == {qa_type: min(20, count) for qa_type, count in available.items()}
    out = tmp_path / "subset.json"
    done = medvid("sample", DATA / "test_set.json.gz", "-o", out, "--per-type", 5, "--seed", 7)
    assert done.exit_code == 0, done.output
    assert subsets.load(out.read_bytes(), items) == small
    with pytest.raises(subsets.InvalidSubset, match="another test set"):
        subsets.load(out.read_bytes(), items[1:])


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"medvid_subset": 1}', b'{"samples": []}'])
def test_a_file_that_is_no_subset_is_refused(content: bytes) -> None:
    with pytest.raises(subsets.InvalidSubset, match="medvid sample"):
        subsets.load(content, ())


def test_a_score_over_a_part_says_so_and_equals_that_parts_own(tmp_path: Path) -> None:
    """A part's values are those of a truth that holds it alone, as of tasks without labels."""
    subset = tmp_path / "subset.json"
    medvid("sample", TRUTH, "-o", subset, "--per-type", 30)
    chosen = [row["index"] for row in orjson.loads(subset.read_bytes())["samples"]]
    whole, all_predictions = real_records("ground_truth"), rows(WEAK)
    truth, predictions = tmp_path / "truth.json", tmp_path / "predictions.json"
    truth.write_bytes(orjson.dumps([whole[index] for index in chosen]))
    predictions.write_bytes(orjson.dumps([all_predictions[index] for index in chosen]))
    alone = json.loads(medvid("score", truth, predictions, "--json").stdout)
    done = medvid("score", TRUTH, WEAK, "--json", "--subset", subset)
    assert done.exit_code == 0, done.output
    part = json.loads(done.stdout)
    assert part["not_comparable"] == f"the {len(chosen)} of 6,245 samples of the subset"
    assert part["coverage"]["samples"] == len(chosen)
    for key, metric in part["metrics"].items():
        if key != "nap_acc":
            assert metric["compat"] == alone["metrics"][key]["compat"], key
            assert metric["strict"] == alone["metrics"][key]["strict"], key


@deep
def test_labels_of_a_part_are_those_of_the_whole_test_set(
    tmp_path: Path, fifth: tuple[str, str, str]
) -> None:
    """With few samples the nearest of few labels would be right too often."""
    truth, weak, _ = fifth
    subset = tmp_path / "subset.json"
    medvid("sample", truth, "-o", subset, "--per-type", 20)
    chosen = {row["index"] for row in orjson.loads(subset.read_bytes())["samples"]}
    lines = {}
    for name, options in (("whole", ()), ("part", ("--subset", subset))):
        path = tmp_path / f"{name}.jsonl"
        done = medvid("score", truth, weak, "--per-sample", path, *options)
        assert done.exit_code == 0, done.output
        read = map(orjson.loads, path.read_bytes().splitlines())
        lines[name] = {line["index"]: line for line in read}
    assert set(lines["part"]) == chosen
    for index, line in lines["part"].items():
        assert line == lines["whole"][index]


def test_answered_only_leaves_out_what_has_no_prediction(tmp_path: Path) -> None:
    file = tmp_path / "half.json"
    file.write_bytes(orjson.dumps(rows(STRONG)[:300]))
    done = medvid("score", TRUTH, file, "--answered-only", "--json")
    found = json.loads(done.stdout)
    assert found["coverage"] == {"predicted": 300, "samples": 300, "share": 1.0}
    assert found["not_comparable"] == "the 300 of 6,245 samples with a prediction"
    table = medvid("score", TRUTH, file, "--answered-only", "--by-source").stdout
    assert "Not comparable with a board's values" in table
    assert "EgoSurgery" in table


def test_an_overlay_replaces_one_task_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "overlaid.json.gz"
    done = medvid("overlay", WEAK, STRONG, "--task", "stg", "-o", out)
    assert done.exit_code == 0, done.output
    assert "780 replaced" in done.stdout
    assert "5,465 unchanged" in done.stdout
    weak, strong, overlaid = rows(WEAK), rows(STRONG), rows(out)
    for before, other, now in zip(weak, strong, overlaid, strict=True):
        assert now == (other if before["qa_type"] == "stg" else before)
    manifest = orjson.loads((tmp_path / "overlaid.manifest.json").read_bytes())
    assert (manifest["task"], manifest["replaced"], manifest["unchanged"]) == ("stg", 780, 5_465)
    only = tmp_path / "stg.json"
    only.write_bytes(orjson.dumps([row for row in strong if row["qa_type"] == "stg"]))
    again = tmp_path / "again.json.gz"
    assert medvid("overlay", WEAK, only, "--task", "stg", "-o", again).exit_code == 0
    assert again.read_bytes() == out.read_bytes()


def test_an_overlay_that_does_not_fit_writes_nothing(tmp_path: Path) -> None:
    out, other = tmp_path / "out.json", tmp_path / "other.json"
    swapped = [row for row in rows(STRONG) if row["qa_type"] == "stg"]
    first = next(place for place, row in enumerate(swapped) if row["id"] != swapped[0]["id"])
    for wrong, words in (
        (swapped[:-1], "780 records of stg, the second 779"),
        ([swapped[first], *swapped[1:first], swapped[0], *swapped[first + 1 :]], "differently"),
        ([{"id": "x"}], "not valid"),
    ):
        other.write_bytes(orjson.dumps(wrong))
        done = medvid("overlay", WEAK, other, "--task", "stg", "-o", out)
        assert done.exit_code == 2
        assert words in done.stderr.replace("\n", " ")
        assert not out.exists()
    assert medvid("overlay", WEAK, STRONG, "--task", "x", "-o", out).exit_code == 2


def test_peek_shows_the_lowest_values_and_what_is_not_read() -> None:
    hostile = DATA / "predictions_hostile.json.gz"
    worst = json.loads(
        medvid("peek", TRUTH, hostile, "--task", "stg", "--worst", 400, "--json").stdout
    )
    values = [each["value"] for each in worst["shown"]]
    assert len(values) == 400
    assert values == sorted(values)
    unread = json.loads(
        medvid("peek", TRUTH, hostile, "--task", "stg", "--unparsed", "--json").stdout
    )
    assert unread["unparsed"] >= len(unread["shown"]) == 20
    assert not any(each["parsed"] for each in unread["shown"])
    assert worst["answers"] == 780
    text = medvid("peek", TRUTH, hostile, "--task", "stg", "--worst", 1).stdout
    assert worst["shown"][0]["question"][:60] in text


class Page(HTMLParser):
    """Counts elements; texts of cells."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.feed(content)

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1


def test_a_report_has_scores_differences_sources_and_worst_answers(
    tmp_path: Path, fifth: tuple[str, str, str]
) -> None:
    truth, weak, strong = fifth
    text, page = tmp_path / "r.md", tmp_path / "r.html"
    done = medvid("score", truth, weak, "--judge", "stub", "--against", strong,
                  "--report", text, "--report", page, "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["metrics"]
    old = json.loads(medvid("score", truth, strong, "--judge", "stub", "--json").stdout)["metrics"]
    assert len(found) == 10
    lines = text.read_text().splitlines()
    labels = {"stg_miou": r"STG\_mIoU", "dvc_llm": r"DVC\_llm", "cvs_acc": r"CVS\_acc"}
    for key, label in labels.items():
        (row,) = [line for line in lines if line.startswith(f"| {label} |") and "answered" not in
                  line and " to " in line]  # fmt: skip
        assert f"{found[key]['compat']:.4f}" in row
        assert f"{found[key]['compat'] - old[key]['compat']:+.4f}" in row
    assert "## Worst answers: stg" in text.read_text()
    assert sum(line.startswith(r"| STG\_mIoU | ") for line in lines) > 1  # by source, too
    tags = Page(page.read_text()).tags
    assert tags["svg"] == 1
    assert tags["rect"] == 10
    assert tags["script"] == 0


HOSTILE = "<script>alert(1)</script> | a\n| b | `c` **d** ![x](http://e) &lt;"


def test_whatever_an_answer_holds_stays_text() -> None:
    section = ReportSection("S", [HOSTILE], (), [HOSTILE], [[HOSTILE], [1.5], [None]])
    document = ReportDocument(HOSTILE, [HOSTILE], [section])
    page = html.render(document)
    assert Page(page).tags["script"] == Page(page).tags["img"] == 0
    text = markdown.render(document)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    for line in text.splitlines():
        for special in ("<script", "![", "**d", "`c"):
            assert special not in line.replace("\\" + special[0], "")


@pytest.mark.parametrize(("options", "words"), [
    (("--report", "r.txt"), ".md or .html"), (("--against", WEAK), "--report"),
])  # fmt: skip
def test_a_report_that_cannot_be_written_is_told_first(
    options: tuple[str, ...], words: str
) -> None:
    done = medvid("score", TRUTH, WEAK, *options)
    assert done.exit_code == 1
    assert words in done.stderr


@deep
async def test_both_files_of_a_report_are_judged_by_the_same_judge(tmp_path: Path) -> None:
    """An endpoint that gives only fives: the older file's value is its, too, not the stand-in's."""
    fives = "\n".join(f"{aspect}: 5" for aspect in ASPECTS)

    async def answer(_: Body) -> web.Response:
        return reply(fives)

    truth, new, old = (tmp_path / name for name in ("truth.json", "new.json", "old.json"))
    kept = [place for place, row in enumerate(real_records()) if "summary" in row["qa_type"]][:5]
    for path, source in ((truth, TRUTH), (new, STRONG), (old, WEAK)):
        whole = rows(source)
        path.write_bytes(orjson.dumps([whole[place] for place in kept]))
    report = tmp_path / "r.md"
    async with vision_endpoint(answer) as endpoint:
        done = await asyncio.to_thread(
            medvid, "score", truth, new, "--judge", "openai", "--model", "tiny", "--base-url",
            endpoint.url, "--against", old, "--report", report,
        )  # fmt: skip
        asked = len(endpoint.bodies)
    assert done.exit_code == 0, done.output
    assert asked == 10
    (row,) = [line for line in report.read_text().splitlines() if "VS" in line and "pairs" in line]
    assert row.count("5.0000") == 4  # the value, both ends of its interval, and the older value
