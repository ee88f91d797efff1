"""Objections to entries: who files them, and what the entry's owner answers."""
