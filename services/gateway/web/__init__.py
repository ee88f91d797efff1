"""HTTP for every feature: endpoints and their description, problems, responses, the server."""
