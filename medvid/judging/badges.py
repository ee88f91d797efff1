"""The badges that an entry gets by how it was judged."""

from __future__ import annotations

from typing import Final

STUB_JUDGE: Final = "stub judge"
UNCONFIRMED_JUDGE: Final = "judge_unconfirmed"
JUDGES_MISSING: Final = "judges missing"
OWN_FAMILY: Final = "own family judged"
OF_JUDGE: Final = (STUB_JUDGE, UNCONFIRMED_JUDGE, JUDGES_MISSING, OWN_FAMILY)
