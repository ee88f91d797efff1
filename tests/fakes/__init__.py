"""Implementations of the ports for tests."""
