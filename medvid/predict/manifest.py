"""What a run leaves: the submission file, and a manifest that says how it was made."""

from __future__ import annotations

import gzip
import hashlib
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from medvid.judging.pricing import MICROUSD, TokenPrice
from medvid.predict.records import Records
from medvid.predict.samples import VideoSample

_DISTRIBUTIONS: Final = ("medvid", "openai", "pillow")


def submission(samples: Sequence[VideoSample], records: Records) -> bytes:
    """Return the predictions as a submission file (JSON), in test-set order.

    Each record repeats its question: ids repeat, and a file with gaps is aligned by it.
    """
    rows = [
        {
            "id": sample.item.id,
            "qa_type": sample.item.qa_type,
            "question": sample.item.question,
            "prediction": record.prediction,
        }
        for sample in samples
        if (record := records.by_index.get(sample.item.index)) is not None and record.is_answered
    ]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2)


def manifest(
    samples: Sequence[VideoSample],
    records: Records,
    *,
    settings: Mapping[str, Any],
    max_tokens: Mapping[str, int],
    base_url: str,
    price: TokenPrice,
    files: Mapping[str, Path],
) -> dict[str, Any]:
    """Return how a submission came about: settings, versions, hashes, counts, tokens, cost.

    `files` are hashed as they lie there. Costs cover the calls whose last answers are used.
    """
    known = [records.by_index.get(sample.item.index) for sample in samples]
    found = [record for record in known if record is not None]
    prompt = sum(record.prompt_tokens for record in found)
    completion = sum(record.completion_tokens for record in found)
    statuses = Counter(record.status.value for record in found)
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _DISTRIBUTIONS},
        "endpoint": _without_credentials(base_url),
        "settings": dict(settings),
        "max_tokens": dict(max_tokens),
        "samples": len(samples),
        "statuses": dict(statuses) | {"not asked": known.count(None)},
        "models": dict(Counter(record.model for record in found if record.model)),
        "tokens": {"prompt": prompt, "completion": completion},
        "cost_usd": price.cost(prompt, completion) / MICROUSD,
        "files": {
            name: {"name": path.name, "sha256": sha256(path)} for name, path in files.items()
        },
    }


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a manifest as a file's content."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def sha256(path: Path) -> str:
    """Return a file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, content: bytes) -> None:
    """Put a file in its place whole, or not at all; gzip if its name ends so."""
    part = path.with_name(path.name + ".part")
    # Without a time stamp, so that equal content makes equal files.
    part.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    os.replace(part, path)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
