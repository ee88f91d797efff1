"""Layouts in which other tools write answers: recognised, so that errors name them and the fix.

Everything here looks at decoded records and changes nothing. `medvid convert` reads these layouts;
the server only says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.report import shown
from medvid.benchmark.scanning import Buffer, Layout

COMMAND: Final = "medvid convert FILE -o predictions.json.gz"
_PLACED: Final = " --by-position --test-set TEST_SET"

TEXT_FIELDS: Final = (
    "prediction", "answer", "response", "output", "model_output", "predict", "pred",
    "predicted_answer", "model_answer", "model_response", "model_prediction", "generated_text",
    "generation", "generated", "completion", "llm_output", "raw_output", "outputs", "predictions",
    "responses", "resp", "reply", "result", "text", "content",
)  # fmt: skip
"""Names under which a model's text is often written."""
TRUTH_FIELDS: Final = frozenset((
    "gnd", "gt", "ground_truth", "groundtruth", "label", "labels", "target", "reference",
    "references", "solution", "struc_info", "correct_answer", "gold", "truth",
))  # fmt: skip
"""Names under which a true answer is often written; never read."""
TURN_FIELDS: Final = ("conversations", "messages")
"""Turns of a conversation: the last answer may be a model's, or the true one."""
_ANSWERING: Final = ("gpt", "assistant", "model")


@dataclass(frozen=True, slots=True)
class Shape:
    """A layout: every one of `marks` is there, and one of `either` where it names any.

    `answers`, `questions`: dotted paths of the model's text and of what it was asked, the first
    that holds a text counts. `number` may hold the sample's place or id.
    """

    name: str
    marks: frozenset[str]
    answers: tuple[str, ...]
    either: frozenset[str] = frozenset()
    questions: tuple[str, ...] = ()
    number: str = ""
    counts_from_zero: bool = False

    def fits(self, record: Mapping[str, object]) -> bool:
        """Whether a record has this layout."""
        keys = record.keys()
        return self.marks <= keys and (not self.either or not self.either.isdisjoint(keys))


def _marks(*names: str) -> frozenset[str]:
    return frozenset(names)


SHAPES: Final = (
    Shape(
        "vLLM or OpenAI batch output", _marks("custom_id"),
        ("response.body.choices.0.message.content", "response.body.choices.0.text",
         "response.choices.0.message.content", "response.choices.0.text",
         "response.body.output.-1.content.0.text"),
        either=_marks("response", "error"), number="custom_id",
    ),
    Shape(
        "lmms-eval samples", _marks("doc_id"), ("filtered_resps", "resps"),
        either=_marks("filtered_resps", "resps"),
        questions=("doc.question", "input", "arguments.0.0", "arguments.gen_args_0.arg_0"),
        number="doc_id", counts_from_zero=True,
    ),
    Shape(
        "VLMEvalKit predictions", _marks("index", "prediction"), ("prediction",),
        questions=("question",), number="index",
    ),
    Shape("swift inference output", _marks("response", "messages"), ("response",),
          questions=("messages",)),
    Shape("swift inference output", _marks("response", "labels"), ("response",),
          questions=("query",)),
    Shape("LLaMA-Factory predictions", _marks("predict"), ("predict",),
          either=_marks("label", "prompt"), questions=("prompt",)),
    Shape("records named by sample_id", _marks("sample_id"), (), number="sample_id"),
    Shape("chat completions", _marks("choices"),
          ("choices.0.message.content", "choices.0.text")),
    Shape("text generation output", _marks("generated_text"), ("generated_text",)),
)  # fmt: skip
"""The more special ones first."""


def shape_of(record: Mapping[str, object]) -> Shape | None:
    """Return the layout of a foreign record, None where it is not known."""
    return next((shape for shape in SHAPES if shape.fits(record)), None)


def is_ours(record: Mapping[str, object]) -> bool:
    """Whether a record has what names its sample: an id or metadata, and a qa_type."""
    return ("id" in record or "metadata" in record) and "qa_type" in record


def needs_places(record: Mapping[str, object]) -> bool:
    """Whether nothing in a record names its sample but the place in the file."""
    number = next((record[name] for name in ("sample_id", "custom_id") if name in record), None)
    return not is_ours(record) and not (isinstance(number, str) and named_sample(number))


_NAMED: Final = re.compile(r"(?:(\d{1,9})::)?(.+)::([a-z_]+)", re.DOTALL)


def named_sample(text: str) -> tuple[int | None, str, str] | None:
    """Return place, id and qa_type of a name like `000012::video&&1&&2&&1.0::tal`."""
    found = _NAMED.fullmatch(text)
    if found is None:
        return None
    return None if found[1] is None else int(found[1]), found[2], found[3]


def value_at(record: object, path: str) -> object:
    """Return what stands at a dotted path; a field of exactly that name comes first."""
    if isinstance(record, Mapping) and path in record:
        return record[path]
    for name in path.split("."):
        if isinstance(record, Mapping):
            record = record.get(name)
        elif isinstance(record, list) and name.lstrip("-").isdecimal():
            index = int(name[:6])
            record = record[index] if -len(record) <= index < len(record) else None
        else:
            return None
    return record


def text_in(value: object) -> str | None:
    """Return a text: as it is, alone in a list, in parts of type text, or an answer's turn."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        parts = [part.get("text") for part in value]
        return "".join(part for part in parts if isinstance(part, str))
    turn = turn_of(value, _ANSWERING)
    if turn is not None:
        return turn
    return text_in(value[0]) if len(value) == 1 else None


def turn_of(turns: object, speakers: Sequence[str]) -> str | None:
    """Return the last text that one of `speakers` says in a list of turns."""
    for turn in reversed(turns) if isinstance(turns, list) else ():
        if isinstance(turn, dict) and (turn.get("from") or turn.get("role")) in speakers:
            said = turn.get("value", turn.get("content"))
            return text_in(said) if said is not None else None
    return None


def text_fields(record: Mapping[str, object]) -> list[str]:
    """Return the names of the fields that seem to hold the model's text."""
    shape = shape_of(record)
    if shape is not None and shape.answers:
        return [path for path in shape.answers if text_in(value_at(record, path)) is not None][:1]
    return [name for name in TEXT_FIELDS if text_in(record.get(name)) is not None]


def answer_fix(record: Mapping[str, object], wanted: str, *, some: bool = True) -> str:
    """Return how to cure a record that lacks the field `wanted`, which should hold the answer.

    `some`: other records of the file may have an answer.
    """
    found = [name for name in text_fields(record) if name != wanted]
    if len(found) == 1:
        return f"The text seems to be in \"{found[0]}\": '{command(record, found[0])}'."
    if found:
        names = " or ".join(f'"{name}"' for name in found)
        return f"The text is in {names}: 'medvid convert FILE --answer-field NAME -o {_OUTPUT}'."
    turns = next((name for name in TURN_FIELDS if turn_of(record.get(name), _ANSWERING)), None)
    if turns:
        return (
            f'Only "{turns}" holds an answer, which may be the true one. If it is your '
            f"model's: '{command(record, turns)}'."
        )
    if not some:
        return (
            "No field holds a text of the model, in any record: convert the file with its output."
        )
    return (
        "No field holds a text of the model. Send the file with its output; where inference failed "
        f"for some samples, 'medvid convert FILE --failed skip -o {_OUTPUT}' leaves these out."
    )


_OUTPUT: Final = COMMAND.rpartition(" ")[2]


def command(record: Mapping[str, object], answer_field: str = "") -> str:
    """Return the command that converts files of such records."""
    known = shape_of(record)
    options = "" if known is not None or not answer_field else f" --answer-field {answer_field}"
    options += _PLACED if needs_places(record) else ""
    return COMMAND.replace(" -o", f"{options} -o")


def are_columns(names: Collection[str]) -> bool:
    """Whether an object's keys are names of a record's fields: its values are columns then."""
    return not _NAMING.isdisjoint(names) and not _TEXTS.isdisjoint(names)


_NAMING: Final = frozenset(("id", "qa_type"))
_TEXTS: Final = frozenset(TEXT_FIELDS)


def columns_in(data: Buffer, layout: Layout) -> list[str]:
    """Return the names of the columns that an object holds instead of records, else none.

    Looks at the first bytes of each element only.
    """
    if layout.kind != "object" or len(layout.starts) > _MOST_WRAPPERS:
        return []
    names: list[str] = []
    for start, end in zip(layout.starts, layout.ends, strict=True):
        found = _COLUMN.match(data, start, min(end, start + _LOOKED_AT))
        if found is None:
            return []
        names.append(found[1].decode(errors="replace"))
    return names if are_columns(names) else []


def wrapped_in(data: Buffer, layout: Layout) -> str | None:
    """Return the key under which an object holds the records instead of being them, else None.

    Looks at the first bytes of each element only: the whole file may be one.
    """
    if layout.kind != "object" or len(layout.starts) > _MOST_WRAPPERS:
        return None
    objects: dict[str, tuple[int, str]] = {}  # by the first key inside: size and key
    for start, end in zip(layout.starts, layout.ends, strict=True):
        found = _WRAPPER.match(data, start, min(end, start + _LOOKED_AT))
        if found is None:
            continue
        key = found[1].decode(errors="replace")
        if found[2] is None:
            return key
        inner = found[2].decode(errors="replace")
        if inner in _OWN_OBJECTS or inner in objects:  # records, which have their fields in common
            return None
        objects[inner] = end - start, key
    return max(objects.values())[1] if objects else None


_MOST_WRAPPERS: Final = 30
_LOOKED_AT: Final = 2_000
_NAME: Final = rb'"((?:[^"\\]|\\.){0,200})"\s{0,99}:\s{0,99}'
_COLUMN: Final = re.compile(rb"\s{0,99}" + _NAME + rb"[\[{]", re.DOTALL)
_WRAPPER: Final = re.compile(
    rb"\s{0,99}" + _NAME + rb"(?:\[\s{0,99}[{\[]|\{\s{0,99}" + _NAME + rb"[{\[])", re.DOTALL
)
_OWN_OBJECTS: Final = frozenset((
    "metadata", "struc_info", "conversations", "messages", "response", "doc", "video", "prediction",
    "answer", "choices", "RC_info", "sampled_video_frames", "resps", "filtered_resps", "arguments",
))  # fmt: skip
"""Objects and arrays inside a record: one that begins with them is a record, not a wrapper."""


def described(record: object) -> str:
    """Return what a record resembles, for people."""
    shape = shape_of(record) if isinstance(record, dict) else None
    return f"a record of {shape.name}: {shown(record)}" if shape else shown(record)
