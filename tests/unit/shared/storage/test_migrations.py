"""Migrations: numbered without gap or double; what was released stays as it was."""

from __future__ import annotations

from shared.storage.migrate import load_migrations

RELEASED = {
    "spine": "d978334cfda199ff42b2029332aa49938a0bbf9b47473bbccf33b5d37d66c03d",
    "judge": "906729423f583723638d71bf1d51c06ac11d2d0357cf2d7c28137311d6bbf66e",
    "judge_budgets": "c5de8f32c4298ff99dbce5658ccebbb7edee47a25195985a5465991a6592eaba",
}


def test_numbers_have_no_gap_and_no_double() -> None:
    assert load_migrations()


def test_released_migrations_were_not_edited() -> None:
    found = {step.name: step.sha256 for step in load_migrations()}
    assert {name: found[name] for name in RELEASED} == RELEASED
