"""Signing in at a real provider: the npm package oidc-provider, which insists on the standards."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from unittest.mock import patch

import pytest

from shared.storage.database import Database
from tests.acceptance.gateway_harness import running_gateway
from tests.acceptance.sign_in_harness import Person, SignInSite
from tests.depth import deep
from tests.fakes.identity_provider import FakeProvider
from tests.oidc_server import NoNode, install, oidc_provider, sign_in_there
from tests.servers import free_port

SITE = "http://127.0.0.1:8080"
CALLBACK = f"{SITE}/sign-in/real/callback"
SECRET = "a:secret+of%2Fodd=letters"  # noqa: S105 - of a provider on this machine


@deep
async def test_people_sign_in_at_a_provider_of_others(database: Database, tmp_path: Path) -> None:
    """Also once it has been started anew, with another key, and forgotten everybody."""
    try:
        install()
    except NoNode as error:
        pytest.skip(f"oidc-provider cannot be installed: {error}")
    file, port = tmp_path / "sign-in.toml", free_port()
    file.write_text(
        f'private_networks = true\n[providers.real]\nkind = "oidc"\nname = "Real"\n'
        f'issuer = "http://127.0.0.1:{port}"\nclient_id = "leaderboard"\n'
        'client_secret_env = "REAL_SECRET"\nadministrators = ["grace"]\n',
        "utf-8",
    )
    for login in ("ada", "ada", "grace"):
        async with AsyncExitStack() as stack:
            stack.enter_context(patch.dict("os.environ", {"REAL_SECRET": SECRET}))
            stack.enter_context(oidc_provider(tmp_path, "leaderboard", SECRET, CALLBACK, port))
            gateway = await stack.enter_async_context(
                running_gateway(database, sign_in=file, public_url=SITE)
            )
            person = Person(SignInSite(gateway, FakeProvider(), FakeProvider()))
            assert (await person.get("/sign-in/real"))[0] == 303
            kept = dict(person.cookies)
            back = await sign_in_there(person.location, login, CALLBACK)
            status, text = await person.come_back(back)
            assert (status, person.location) == (303, "/account"), text
            _, page = await person.get("/account")
            assert f"{login} the first" in page  # of userinfo
            admin = (await person.get("/admin"))[1]
            assert ("Signed in as real:grace" in admin) == (login == "grace")
            # The provider takes a code once, and gives no token without the verifier.
            assert (await Person(person.site, kept).come_back(back))[0] == 403
    names = await database.pool.fetch("SELECT subject FROM identities ORDER BY subject")
    assert [row["subject"] for row in names] == ["ada", "grace"]
