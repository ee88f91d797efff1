"""The administrator's commands that go through the API of a server."""
