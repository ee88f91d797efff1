"""Properties are unit tests, so that no other process of tests imports hypothesis (a second)."""

from __future__ import annotations

from hypothesis import settings

from tests.depth import examples, is_deep


def pytest_configure() -> None:
    """Say how many examples are tried of the properties that say no number of their own."""
    settings.register_profile("quick", max_examples=examples(100), deadline=None)
    settings.register_profile("deep", max_examples=500, deadline=None)
    settings.load_profile("deep" if is_deep() else "quick")
