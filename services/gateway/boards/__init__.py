"""Boards: current and past, as JSON, tables, feeds and events."""
