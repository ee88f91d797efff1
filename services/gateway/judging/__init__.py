"""Judging of submissions: asked for, paused, resumed, read. The judge itself is a service."""
