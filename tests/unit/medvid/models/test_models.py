"""The public models as a client reads them, when its server is newer or older than itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from pydantic import ValidationError

from medvid.models.accounts import Key, QuotaFields, QuotaStatus, QuotaUse
from medvid.models.base import Open, read_answer
from medvid.models.boards import BoardSummary
from medvid.models.status import Status
from tests.public_models import public_answers

(OPEN,) = get_args(Open[str])[1:]
STATUS = b"""{
    "state": "resting", "says": "It rests.", "checked_at": "2026-04-15T12:00:00Z",
    "figures_age_seconds": null, "notice": null, "stages": [], "weather": "fine",
    "boards": [{"board": "regional", "updated_at": null, "behind_seconds": 0, "entries": 3}]
}"""
KEY = b"""{
    "id": "3b0e2a8c-0000-4000-8000-000000000000", "label": "CI", "owner": "lab",
    "scopes": ["submit", "observe"], "quotas": {"bytes_per_day": 1, "verdicts_per_day": 2},
    "created_at": "2026-04-15T12:00:00Z", "created_by": "administrator", "last_used_at": null,
    "revoked_at": null
}"""


def closed_values(hint: Any, *, is_open: bool = False) -> Iterator[Any]:
    """The lists of values in an annotation that are not open."""
    if get_origin(hint) is Literal and not is_open:
        yield hint
    if get_origin(hint) is Annotated:
        kind, *facts = get_args(hint)
        yield from closed_values(kind, is_open=OPEN in facts)
    elif get_origin(hint) is not Literal:
        for part in get_args(hint):
            yield from closed_values(part)


def test_every_list_of_values_in_an_answer_is_open() -> None:
    found = {
        f"{name}.{field}": values
        for name, model in public_answers().items()
        for field, hint in get_type_hints(model, include_extras=True).items()
        if field in model.model_fields and (values := list(closed_values(hint)))
    }
    assert found == {}
    assert list(closed_values(dict[str, Open[Literal["a"]] | Literal["b"]])) == [Literal["b"]]


def test_a_client_takes_values_and_fields_that_it_does_not_know() -> None:
    status = read_answer(STATUS, Status)
    assert (status.state, status.boards[0].board) == ("resting", "regional")
    assert "weather" not in status.model_dump()
    key = read_answer(KEY, Key)
    assert key.scopes == ["submit", "observe"]
    assert key.quotas == QuotaFields(bytes_per_day=1)


def test_a_client_still_wants_texts_where_values_are_open() -> None:
    with pytest.raises(ValidationError, match="state"):
        read_answer(STATUS.replace(b'"resting"', b"7"), Status)


def test_a_server_answers_with_known_values_only() -> None:
    with pytest.raises(ValidationError, match="Input should be"):
        Status.model_validate_json(STATUS)


def test_answers_of_version_0_1_are_read() -> None:
    use = b'{"limit": 1, "used": 1, "next_at": null}'
    quotas = read_answer(
        b'{"account": "a", "submissions": %b, "bytes": %b, "judge_runs": %b}' % (use, use, use),
        QuotaStatus,
    )
    assert quotas.validations == QuotaUse(limit=None, used=0, next_at=None)
    board = read_answer(
        b'{"board": "official", "scoring": "compat", "revision": 1, "updated_at": null,'
        b' "snapshot": null, "permalink": null, "entries": 4, "tracks": [], "url": "/u",'
        b' "csv": "/c", "page": "/p"}',
        BoardSummary,
    )
    assert (board.ranking, board.ranked) == ("competition", 4)
