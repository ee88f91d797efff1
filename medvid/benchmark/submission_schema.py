"""JSON Schema of a submission file, made from the constants that the reader itself uses.

It accepts a record exactly where the server does, but for sizes: the server counts bytes of UTF-8,
and of a composed id as a whole, JSON Schema characters. `docs/submission.schema.json` is its copy
at a stable address.
"""

from __future__ import annotations

from typing import Any, Final

from medvid.benchmark.clips import CONVENTIONS
from medvid.benchmark.decoding import SUBMISSION_LIMITS
from medvid.benchmark.tasks import QA_TYPES

JsonSchema = dict[str, Any]
_IDENTITY: Final = "urn:medvidbench:submission:1"
_NO_NUL: Final[JsonSchema] = {"$ref": "#/$defs/text_without_nul"}
_GIVEN: Final[JsonSchema] = {"anyOf": [{"type": "string", "minLength": 1}, {"type": "number"}]}
"""A text or a number of the metadata; anything else counts as absent."""


def submission_schema() -> JsonSchema:
    """Return the schema of a whole file; `$defs/record` is that of a line of JSON Lines."""
    record = {"$ref": "#/$defs/record"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _IDENTITY,
        "title": "MedVidBench submission",
        "description": "Predictions as an array of records, or an object whose values are records. "
        "In JSON Lines each line is one '#/$defs/record'. Sizes are bytes of UTF-8 at the server.",
        "anyOf": [
            {"type": "array", "minItems": 1, "items": record},
            {"type": "object", "minProperties": 1, "additionalProperties": record},
        ],
        "$defs": {
            "record": {
                "type": "object",
                "required": ["qa_type"],
                "propertyNames": _NO_NUL,
                "if": {"required": ["id"]},
                "then": {"$ref": "#/$defs/prediction_record"},
                "else": {"$ref": "#/$defs/inference_record"},
            },
            "prediction_record": {
                "required": ["id", "prediction"],
                "properties": {"id": _id(), **_common(), "prediction": _answer()},
                "additionalProperties": {"$ref": "#/$defs/without_nul"},
            },
            "inference_record": {
                "required": ["metadata", "answer"],
                "properties": {"metadata": _metadata(), **_common(), "answer": _answer()},
                "additionalProperties": {"$ref": "#/$defs/without_nul"},
            },
            "text_without_nul": {"not": {"type": "string", "pattern": "\\u0000"}},
            "without_nul": {
                "allOf": [_NO_NUL],
                "propertyNames": _NO_NUL,
                "items": {"$ref": "#/$defs/without_nul"},
                "additionalProperties": {"$ref": "#/$defs/without_nul"},
            },
        },
    }


def _id() -> JsonSchema:
    return {
        "description": "The sample's id, as in the test set.",
        "type": "string",
        "minLength": 1,
        "maxLength": SUBMISSION_LIMITS.id_bytes,
        "allOf": [_NO_NUL],
    }


def _answer() -> JsonSchema:
    return {
        "description": "The model's text; empty is allowed.",
        "type": "string",
        "maxLength": SUBMISSION_LIMITS.prediction_bytes,
    }


def _common() -> JsonSchema:
    return {
        "qa_type": {"enum": list(QA_TYPES)},
        "question": {
            "description": "What was asked; tells samples with one id apart.",
            "type": ["string", "null"],
            "allOf": [_NO_NUL],
        },
    }


def _metadata() -> JsonSchema:
    """Return the schema of metadata that names a clip: each window has both ends or none."""
    return {
        "description": "The sample's metadata, as in the test set: video_id, fps and a window.",
        "type": "object",
        "required": ["video_id", "fps"],
        "properties": {"video_id": _GIVEN, "fps": _GIVEN},
        "allOf": [
            {"$ref": "#/$defs/without_nul"},
            *({"anyOf": [_has(a, b), {"not": {"anyOf": [_has(a), _has(b)]}}]}
              for a, b in CONVENTIONS),
        ],
    }  # fmt: skip


def _has(*fields: str) -> JsonSchema:
    return {"required": list(fields), "properties": dict.fromkeys(fields, _GIVEN)}
