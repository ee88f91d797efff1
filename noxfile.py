"""The tasks of a developer, for `nox -l`. `./scripts/demo` and `./scripts/test` do without nox."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"  # the scripts keep .venv as the lock file says
nox.options.sessions = ["check"]


@nox.session
def setup(session: nox.Session) -> None:
    """Make .venv hold what the lock names, and have git check each commit."""
    _script(session, "source scripts/_venv.sh && prepare_venv dev && pre-commit install")


@nox.session
def check(session: nox.Session) -> None:
    """Format, lint, types and import rules: seconds, no server."""
    prepared = "source scripts/_venv.sh && prepare_venv dev"
    _script(
        session, f"{prepared} && ruff format . && ruff check . && mypy && lint-imports --no-logo"
    )


@nox.session
def test(session: nox.Session) -> None:
    """Run every check; arguments go to ./scripts/test (`nox -s test -- unit -k ranking`)."""
    session.run("./scripts/test", *session.posargs, external=True)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the whole leaderboard with sample data."""
    session.run("./scripts/demo", *session.posargs, external=True)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation as a site, in var/site; a broken link fails."""
    session.run("./scripts/docs", *session.posargs, external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Renew the lock files from both pyproject.toml."""
    session.run("./scripts/lock", external=True)


@nox.session
def audit(session: nox.Session) -> None:
    """Look up known weaknesses of what is locked; needs an index that has advisories."""
    _script(
        session,
        "source scripts/_venv.sh && prepare_venv dev"
        " && pip-audit -r requirements/runtime.lock --require-hashes --disable-pip",
    )


def _script(session: nox.Session, commands: str) -> None:
    session.run("bash", "-euc", commands, external=True)
