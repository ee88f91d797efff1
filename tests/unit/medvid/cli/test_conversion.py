"""Foreign outputs, failed samples, resumed runs and places from a test set."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from medvid.benchmark.report import Problem, Problems
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem, TestSet
from medvid.cli.conversion.convert import Conversion, Options, convert_files
from medvid.cli.convert import convert
from tests.commands import status_of

QUESTIONS = (
    "When does tying happen?",
    "What comes next?",
    "What comes next?",
    "Describe the clip.",
)
TASKS = (Task.TAL, Task.NEXT_ACTION, Task.NEXT_ACTION, Task.VIDEO_SUMMARY)
# The two middle samples share their whole key, as some of the real ones do.
IDS = ("a&&0&&9&&1.0", "b&&0&&9&&1.0", "b&&0&&9&&1.0", "c&&0&&9&&1.0")
SAMPLES = TestSet(tuple(
    TestItem(n, IDS[n], TASKS[n], QUESTIONS[n], str(TASKS[n])) for n in range(4)
))  # fmt: skip
TEXTS = ("1-2", "cut", "sew", "A clip.")
OURS = [{"id": IDS[n], "qa_type": str(TASKS[n]), "prediction": TEXTS[n]} for n in range(4)]


def lines(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def converted(
    *files: bytes, samples: TestSet | None = None, **options: Any
) -> tuple[Conversion, list[Problem]]:
    problems = Problems()
    named = {f"file {n}": data for n, data in enumerate(files)}
    done = convert_files(named, problems, Options(**options), samples)
    return done, problems.first


def texts(done: Conversion) -> list[tuple[str, str, str]]:
    return [(record.id, record.qa_type, record.prediction.decode()) for record in done.records]


EXPECTED = [(IDS[n], str(TASKS[n]), TEXTS[n]) for n in range(4)]


def codes(done: Conversion) -> set[str]:
    return {note.code for note in done.notes}


def batch(n: int, name: str, **changes: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": TEXTS[n]}, "finish_reason": "stop"}
    body = {"choices": [choice]}
    return {
        "id": f"vllm-{n}", "custom_id": name, "error": None,
        "response": {"status_code": 200, "body": body},
    } | changes  # fmt: skip


def table(delimiter: str, *columns: list[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(zip(*columns, strict=True))
    return out.getvalue().encode()


FOREIGN = {
    "LLaMA-Factory": lines([
        {"prompt": f"<|user|><video>\n{QUESTIONS[n]}<|end|>", "predict": TEXTS[n], "label": "x"}
        for n in range(4)
    ]),
    "swift": lines([
        {"response": TEXTS[n], "labels": "x", "messages": [
            {"role": "user", "content": f"<video>{QUESTIONS[n]}"},
            {"role": "assistant", "content": TEXTS[n]}]}
        for n in range(4)
    ]),
    "lmms-eval": lines([
        {"doc_id": n, "doc": {"question": QUESTIONS[n]}, "target": "x", "resps": [[TEXTS[n]]],
         "filtered_resps": [TEXTS[n]]}
        for n in (2, 0, 3, 1)
    ]),
    "VLMEvalKit json": json.dumps([
        {"index": n + 1, "question": QUESTIONS[n], "answer": "x", "prediction": TEXTS[n]}
        for n in (3, 2, 1, 0)
    ]).encode(),
    "VLMEvalKit tsv": table(
        "\t", ["index", 0, 1, 2, 3], ["question", *QUESTIONS], ["answer", *"xxxx"],
        ["prediction", *TEXTS],
    ),
    "batch from 0": lines([batch(n, f"request-{n}") for n in (1, 0, 3, 2)]),
    "batch from 1": lines([batch(n, str(n + 1)) for n in (1, 0, 3, 2)]),
    "batch with underscores": lines([batch(n, f"req_{n}") for n in (1, 0, 3, 2)]),
    "text generation": json.dumps([[{"generated_text": text}] for text in TEXTS]).encode(),
    "texts": json.dumps(TEXTS).encode(),
    "texts by index": json.dumps({str(n): TEXTS[n] for n in (3, 1, 0, 2)}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_records_without_ids_take_them_from_the_test_set(name: str) -> None:
    done, problems = converted(FOREIGN[name], samples=SAMPLES, by_position=True)
    assert problems == []
    assert texts(done) == EXPECTED
    assert {record.question for record in done.records} == {q.encode() for q in QUESTIONS}
    assert "by_position" in codes(done)


@pytest.mark.parametrize("name", FOREIGN)
def test_without_places_they_are_refused_with_the_cure(name: str) -> None:
    _, problems = converted(FOREIGN[name])
    assert [problem.code for problem in problems] == ["missing_field"]
    assert "--by-position --test-set" in problems[0].fix


def test_keys_without_end_are_no_places() -> None:
    document = json.dumps({f"{n}" + "9" * 5_000: {"prediction": TEXTS[n]} for n in range(4)})
    done, problems = converted(document.encode(), samples=SAMPLES, by_position=True)
    assert (problems, texts(done)) == ([], EXPECTED)


def test_names_of_batches_may_hold_id_and_qa_type() -> None:
    rows = [batch(n, f"{n:06d}::{IDS[n]}::{TASKS[n]}") for n in (2, 0, 3, 1)]
    done, problems = converted(lines(rows))
    assert problems == []
    assert texts(done) == EXPECTED


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        # two records that changed places: each asks another sample's question
        ([{"prompt": QUESTIONS[n], "predict": "x"} for n in (1, 0, 2, 3)], "question_mismatch"),
        ([{"prompt": QUESTIONS[n], "predict": "x"} for n in range(3)], "question_mismatch"),
        ([{"doc_id": n, "resps": ["x"]} for n in (0, 1, 1, 2)], "surplus_record"),
        ([{"doc_id": n, "resps": ["x"]} for n in (0, 1, 2, 4)], "question_mismatch"),
        # neither the first nor the last: nobody can tell what they count from
        ([{"index": n, "prediction": "x"} for n in (1, 2)], "question_mismatch"),
        ([OURS[n] for n in (1, 0, 2, 3)], "unknown_id"),
    ],
)
def test_nothing_is_placed_where_it_may_not_belong(rows: list[dict[str, Any]], code: str) -> None:
    done, problems = converted(lines(rows), samples=SAMPLES, by_position=True)
    assert code in [problem.code for problem in problems]
    assert done.records == []


def test_questions_in_other_words_are_counted() -> None:
    rows = [{"prompt": f"In other words {n}", "predict": TEXTS[n]} for n in range(4)]
    done, problems = converted(lines(rows), samples=SAMPLES, by_position=True)
    assert (problems, texts(done)) == ([], EXPECTED)
    assert next(note.count for note in done.notes if note.code == "other_words") == 4


FAILED = [
    {"id": IDS[0], "qa_type": "tal"},
    {"id": IDS[0], "qa_type": "tal", "prediction": None},
    {"id": IDS[0], "qa_type": "tal", "prediction": float("nan")},
    {"id": IDS[0], "qa_type": "tal", "status": "error", "error": "OOM"},
    {"id": IDS[0], "qa_type": "tal", "status": "failed", "prediction": "traceback"},
    {"id": IDS[0], "qa_type": "tal", "error": {"message": "too long"}, "prediction": ""},
]


@pytest.mark.parametrize("record", FAILED)
def test_failed_samples_stop_are_left_out_or_are_empty(record: dict[str, Any]) -> None:
    data = lines([record, *OURS[1:]])
    done, (problem,) = converted(data)
    assert (problem.code, problem.path) == ("failed_record", "$[0]")
    assert "--failed skip" in problem.fix
    done, problems = converted(data, failed="skip")
    assert (problems, texts(done)) == ([], EXPECTED[1:])
    done, problems = converted(data, failed="empty")
    assert (problems, texts(done)[0]) == ([], (IDS[0], "tal", ""))
    assert "failed" in codes(done)


@pytest.mark.parametrize("record", FAILED)
def test_where_all_samples_failed_nothing_is_written(record: dict[str, Any]) -> None:
    done, (problem,) = converted(lines([record, record | {"id": IDS[1]}]), failed="skip")
    assert done.records == []
    assert "--failed skip" not in problem.fix


def test_an_empty_answer_is_no_failure() -> None:
    done, problems = converted(lines([OURS[0] | {"prediction": ""}]))
    assert (problems, texts(done)) == ([], [(IDS[0], "tal", "")])


def test_nan_beside_the_answer_is_no_failure() -> None:
    done, problems = converted(json.dumps([OURS[0] | {"score": float("nan")}]).encode())
    assert (problems, texts(done)) == ([], EXPECTED[:1])


def test_the_last_of_a_resumed_run_wins() -> None:
    old = [record | {"prediction": "old"} for record in OURS[:3]]
    data = lines([*old, *OURS])
    _, (problem,) = converted(data, samples=SAMPLES)
    assert (problem.code, problem.count) == ("surplus_record", 3)
    assert "--last-wins" in problem.fix
    done, problems = converted(data, samples=SAMPLES, last_wins=True)
    assert (problems, texts(done)) == ([], EXPECTED)
    assert "shared_keys" in codes(done)  # two samples of one key: told apart by order alone
    # Without the test set both samples of one key become one, and the notes say so.
    done, problems = converted(data, last_wins=True)
    assert (problems, len(done.records)) == ([], 3)
    assert "perhaps_samples" in codes(done)


def test_samples_of_one_key_are_not_doubled() -> None:
    for options in ({"samples": SAMPLES}, {"samples": SAMPLES, "last_wins": True}, {}):
        done, problems = converted(lines(OURS), **options)
        assert (problems, texts(done)) == ([], EXPECTED)


def test_a_whole_run_written_twice_is_refused_even_without_a_test_set() -> None:
    rows = [OURS[0] | {"id": f"v{n}&&0&&9&&1.0"} for n in range(100)]
    _, (problem,) = converted(lines([*rows, *rows]))
    assert (problem.code, problem.count) == ("surplus_record", 100)
    assert "--last-wins" in problem.fix
    assert "--test-set" in problem.fix


def test_names_of_a_run_tell_its_records_apart() -> None:
    rows = [record | {"sample_key": str(n)} for n, record in enumerate(OURS)]
    assert converted(lines(rows))[1] == []
    failed = {"sample_key": "2", "status": "error", "id": IDS[2], "qa_type": "next_action"}
    for data in (lines([failed, *rows]), lines([*rows, failed])):
        assert "surplus_record" in [problem.code for problem in converted(data)[1]]
        done, problems = converted(data, last_wins=True)
        assert (problems, sorted(texts(done))) == ([], sorted(EXPECTED))


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"response": "a", "output": "b"}, '"response", "output"'),
        ({"metadata": {"video_id": "v", "fps": 1}, "answer": "a", "prediction": "b"}, '"answer"'),
    ],
)
def test_several_texts_are_refused_with_their_names(record: dict[str, Any], found: str) -> None:
    named = {"qa_type": "tal"} | ({} if "metadata" in record else {"id": IDS[0]})
    _, (problem,) = converted(lines([named | record]))
    assert found in problem.found
    assert "--answer-field" in problem.fix
    name = "output" if "output" in record else "prediction"
    done, problems = converted(lines([named | record]), answer_field=name)
    if "metadata" not in record:
        assert (problems, done.records[0].prediction) == ([], b"b")


def test_true_answers_are_named_and_never_kept() -> None:
    done, problems = converted(lines([OURS[0] | {"gnd": "secret", "struc_info": [], "note": 1}]))
    assert problems == []
    messages = {note.code: note.message for note in done.notes}
    assert "gnd, struc_info" in messages["truth_ignored"]
    assert "note" in messages["ignored"]


@pytest.mark.parametrize(
    ("qa_type", "value", "text"),
    [
        ("cvs_assessment", {"two_structures": 1, "Cystic plate": 0},
         "Two structures: 1, Cystic plate: 0"),
        ("skill_assessment", {"respect_for_tissue": 3}, "Respect for tissue: 3/5"),
        ("tal", ["1-2"], "1-2"),
        ("cvs_assessment", {"two_structures": "one"}, None),
        ("cvs_assessment", {"other": 1}, None),
        ("tal", [{"start": 1, "end": 2}], None),
        ("tal", 12, None),
    ],
)  # fmt: skip
def test_objects_become_text_only_where_it_is_exact(
    qa_type: str, value: object, text: str | None
) -> None:
    record = {"id": "v", "qa_type": qa_type, "prediction": value}
    done, problems = converted(lines([record, OURS[3]]))
    if text is None:
        assert [(p.code, p.path) for p in problems] == [("wrong_type", "$[0].prediction")]
    else:
        assert (problems, done.records[0].prediction.decode()) == ([], text)


@pytest.mark.parametrize(
    ("written", "read"), [("TAL", "tal"), ("Next Action", "next_action"), (" DC ", "dc")]
)
def test_qa_types_are_read_in_any_case(written: str, read: str) -> None:
    done, problems = converted(lines([OURS[0] | {"qa_type": written}]))
    assert (problems, done.records[0].qa_type) == ([], read)
    assert "qa_type" in codes(done)


def test_a_misspelt_qa_type_is_not_guessed() -> None:
    _, (problem,) = converted(lines([OURS[0] | {"qa_type": "next_actoin"}]))
    assert problem.fix == 'Did you mean "next_action"?'


@pytest.mark.parametrize(
    "document",
    [
        {"predictions": OURS}, {"data": {"results": OURS}}, {"model": "m", "results": OURS},
        {"results": {str(n): record for n, record in enumerate(OURS)}, "config": "x"},
        {str(n): [record] for n, record in enumerate(OURS)},
        {"config": {"temperature": 0, "output": "x.json"}, "results": OURS},
        {"results": {str(n): record for n, record in enumerate(OURS)}, "config": {"a": {}}},
        {name: [record[name] for record in OURS] for name in OURS[0]},
        {name: {str(n): record[name] for n, record in enumerate(OURS)} for name in OURS[0]},
        {"tal": OURS[:1], "next_action": OURS[1:3], "video_summary": OURS[3:]},
        [[record] for record in OURS], [OURS[:2], OURS[2:]],
    ],
)  # fmt: skip
def test_records_are_taken_out_of_what_wraps_them(document: object) -> None:
    done, problems = converted(json.dumps(document).encode())
    assert (problems, texts(done)) == ([], EXPECTED)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_tables_are_read(delimiter: str) -> None:
    columns = [["id", *IDS], ["qa_type", *TASKS], ["prediction", *TEXTS]]
    data = b"\xef\xbb\xbf" + table(delimiter, *columns)
    done, problems = converted(gzip.compress(data))
    assert (problems, texts(done)) == ([], EXPECTED)


def test_texts_are_rewritten_by_rules_that_are_counted_and_shown() -> None:
    rows = [record | {"prediction": f"<think>x</think>{record['prediction']}"} for record in OURS]
    done, problems = converted(lines(rows), strip_reasoning=True, tidy=True)
    assert (problems, texts(done)) == ([], EXPECTED)
    rule = done.rewrites[0]
    assert (rule.rule, rule.count, rule.path) == ("strip_reasoning", 4, "$[0]")
    assert rule.before.startswith("<think>")
    assert converted(lines(rows))[0].rewrites == []


def test_problems_of_several_files_are_grouped_and_name_their_file() -> None:
    bad = lines([OURS[0] | {"qa_type": "nope"}] * 2)
    _, (problem,) = converted(bad, bad)
    assert problem.count == 4
    assert problem.places[0] == "file 0: $[0].qa_type"


def test_the_command_prints_json_and_refuses_places_without_a_test_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output, truth = tmp_path / "in.jsonl", tmp_path / "out.json", tmp_path / "test.json"
    source.write_bytes(FOREIGN["swift"])
    truth.write_text(json.dumps([
        {"id": IDS[n], "qa_type": TASKS[n], "question": QUESTIONS[n]} for n in range(4)
    ]))  # fmt: skip
    assert status_of(convert, [source], output, by_position=True) == 2
    assert "--test-set" in capsys.readouterr().err
    assert status_of(convert, [source], output, as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["output"], document["problem_count"]) == (False, None, 4)
    assert status_of(convert, [source], output, by_position=True, test_set=truth, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["records"]) == (True, 4)
    assert {note["code"] for note in document["notes"]} >= {"read", "by_position"}
    assert document["report"]["answered"] == 4


def workbook(*columns: list[Any]) -> bytes:
    """A workbook as spreadsheet libraries write it: texts shared, numbers in place."""
    strings = sorted({str(cell) for column in columns for cell in column})
    body = ""
    for number, row in enumerate(zip(*columns, strict=True), 1):
        cells = "".join(
            f'<c r="{letter}{number}"><v>{cell}</v></c>' if isinstance(cell, int)
            else f'<c r="{letter}{number}" t="s"><v>{strings.index(str(cell))}</v></c>'
            for letter, cell in zip("ABCDEF", row, strict=False) if cell is not None
        )  # fmt: skip
        body += f'<row r="{number}">{cells}</row>'
    name = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet2.xml", f"<worksheet {name}/>")
        archive.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {name}><sheetData>{body}</sheetData></worksheet>",
        )
        archive.writestr("xl/sharedStrings.xml", f"<sst {name}>{shared}</sst>")
    return buffer.getvalue()


def test_workbooks_are_read() -> None:
    data = workbook(
        ["index", 0, 1, 2, 3], ["question", *QUESTIONS], ["answer", None, *"xxx"],
        ["prediction", "1-2", "c_x000a_&", "sew", "A clip."],
    )  # fmt: skip
    done, problems = converted(data, samples=SAMPLES, by_position=True)
    assert problems == []
    assert [text for *_, text in texts(done)] == ["1-2", "c\n&", "sew", "A clip."]
    _, (problem,) = converted(data[:-30])
    assert "damaged workbook" in problem.found
