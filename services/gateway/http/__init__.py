"""HTTP itself: endpoints as data, their description, problems, representations, the server."""
