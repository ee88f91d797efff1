"""Tracks of challenges: their rules, the times they take submissions, their final results."""
