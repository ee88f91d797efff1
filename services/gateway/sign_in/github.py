"""GitHub's OAuth 2, which has no ID token: the code for an access token, and that for the user."""

from __future__ import annotations

from typing import Final

from yarl import URL

from services.gateway.sign_in.attempts import Attempt
from services.gateway.sign_in.provider_calls import ProviderCalls, sign_in_failed
from services.gateway.sign_in.rules import Identity, Provider

_PUBLIC: Final = URL("https://github.com")


class GitHub:
    """GitHub, or an enterprise's own; raises ProviderFailed where it does not answer."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._calls = ProviderCalls(provider)
        self._site = URL(provider.issuer)
        self._api = (
            URL("https://api.github.com") if self._site == _PUBLIC else self._site / "api/v3"
        )

    async def address(self, attempt: Attempt, callback: str) -> str:
        """Return where a browser is sent to sign in."""
        query = {
            "client_id": self.provider.client_id,
            "redirect_uri": callback,
            "state": attempt.state(self.provider),
            "code_challenge": attempt.challenge(self.provider),
            "code_challenge_method": "S256",
        }
        if self.provider.scopes:  # none is needed for who somebody is
            query["scope"] = self.provider.scopes
        return str((self._site / "login/oauth/authorize").with_query(query))

    async def identity(self, code: str, attempt: Attempt, callback: str) -> Identity:
        """Return who signed in; raises NotAllowed where that cannot be believed."""
        provider = self.provider
        form = {
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "code": code,
            "redirect_uri": callback,
            "code_verifier": attempt.verifier(provider),
        }
        tokens = await self._calls.exchange(str(self._site / "login/oauth/access_token"), form)
        token = tokens.get("access_token")
        if not isinstance(token, str) or not token:
            raise sign_in_failed(f"{provider.name} sent no access token.")
        user = await self._calls.get(str(self._api / "user"), token)
        number, name = user.get("id"), user.get(provider.name_claim)
        if not isinstance(number, int) or isinstance(number, bool):
            raise self._calls.failed("its user has no numeric id")
        # The number stays a person's; a login may be given up and taken by another.
        return Identity(provider, str(number), name if isinstance(name, str) else str(number))

    async def check(self) -> None:
        """Ask the API whether it is there."""
        await self._calls.get(str(self._api / "meta"))
