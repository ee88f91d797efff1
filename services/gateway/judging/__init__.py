"""Judging, as those see it who ask for it."""
