"""Signing in at an identity provider: OpenID Connect, GitHub, and a device flow of our own."""
