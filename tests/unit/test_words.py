"""Plain words: a private dialect does not come back into what people read of the product."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WORDS: Final = {
    r"as it is told": "Build the response from …",
    r"deeds?": "admin action",
    r"fares?": "the state of …",
    r"hand-?outs?": "delivery attempt",
    r"in vain": "failed, without an answer: say which",
    r"let(s|ting)? go of": "delete, prune",
    r"mend(s|ed|ing)?": "fix",
    r"put(s|ting)? off": "retry later",
    r"second thoughts": "retry before failing",
    r"st(ands?|anding|ood) still": "stalled",
    r"meanwhile": "leave it out, or name what goes on",
    r"of ours": "name what it is: a known id, a trusted proxy, a server error",
    r"patrols?": "reaper, periodic task",
    r"the cure": "the fix",
    r"told(?! apart)": "named, shown, notified, distinguished: say which",
    r"whoever": "name who: the scorer, the holder of the token",
}
"""What is not written, and the field's own word for it."""
_READ: Final = (
    "*.md", "*.py", "*.sql", "*.html", "*.js", "*.css", "*.yaml", "*.toml", "scripts/*",
    # What is written once stays, and the changelog names what was renamed.
    ":!tests", ":!docs/adr", ":!CHANGELOG.md", ":!shared/storage/migrations",
)  # fmt: skip


def test_the_fields_own_words_are_used() -> None:
    any_of_them = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)
    listed = subprocess.run(  # noqa: S603 - our own repository
        ["git", "ls-files", "-z", *_READ],  # noqa: S607
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(files) > 200
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]!r}"
        for path in files if path.is_file()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for match in [any_of_them.search(line)] if match
    ]  # fmt: skip
    assert found == [], f"the field's words are {WORDS}"
