"""`medvid schema`: the JSON Schema of a submission file."""

from __future__ import annotations

from medvid.benchmark.submission_schema import submission_schema
from medvid.cli.printing import Exit, print_json


def schema() -> int:
    """Print the JSON Schema of a submission file, for editors and other validators."""
    print_json(submission_schema())
    return Exit.DONE
