"""Submissions: taken in, told about, listed, withdrawn, replaced."""
