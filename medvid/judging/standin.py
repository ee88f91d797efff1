"""The stand-in judge: scores by hash, so that everything around a judge can be tested exactly."""

from __future__ import annotations

import hashlib

from medvid.benchmark.caption_pairs import CaptionPair
from medvid.benchmark.tasks import ASPECTS
from medvid.judging.verdicts import SCORES, Verdict


def judge(pair: CaptionPair, salt: str = "") -> Verdict:
    """Return, for each aspect, 1 + (first byte of sha256("ASPECT|prediction|reference") mod 5).

    A `salt` stands before what is hashed, and makes another judge.
    """
    # Uploads with lone surrogates are refused earlier; a pure function still must not fail.
    return {
        aspect: SCORES[
            _first_byte(f"{salt}{aspect}|{pair.prediction}|{pair.reference}") % len(SCORES)
        ]
        for aspect in ASPECTS
    }


def _first_byte(text: str) -> int:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0]
