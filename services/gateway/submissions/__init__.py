"""Submissions: uploaded, checked, listed, followed, withdrawn, replaced."""
