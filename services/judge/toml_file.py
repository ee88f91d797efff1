"""A TOML file that a setting names; errors say what is wrong in it, and where."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.runtime.errors import Misconfigured
from shared.runtime.settings import environment

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class TomlFile:
    """The file that `variable` names; `fix` says where to read how it looks."""

    variable: str
    path: Path
    fix: str

    def read(self, model: type[M]) -> M:
        """Return what it holds; raises Misconfigured."""
        try:
            return model.model_validate(tomllib.loads(self.path.read_text("utf-8")))
        except OSError as error:
            raise self.wrong(error.strerror or "cannot be read") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self.wrong(f"is no TOML: {error}") from error
        except RecursionError as error:
            raise self.wrong("is nested too deeply") from error
        except ValidationError as error:
            raise self.invalid(error) from error

    def secret(self, variable: str) -> str:
        """Return what a variable holds, or the file of its name; raises Misconfigured."""
        found = environment().get(variable)
        if not found:
            raise self.wrong(f"names the variable {variable}, which is not set")
        return found

    def invalid(self, error: ValidationError, where: str = "") -> Misconfigured:
        """Return what to raise for values that are not valid; the values are not repeated."""
        return self.wrong(
            "; ".join(
                f"{_place(where, each['loc'])}: {each['msg'].removeprefix('Value error, ')}"
                for each in error.errors(include_url=False, include_input=False)
            )
        )

    def wrong(self, says: str) -> Misconfigured:
        """Return what to raise for a file that says something wrong."""
        return Misconfigured(f"{self.variable}: {self.path.name}: {says}.", fix=self.fix)


def _place(where: str, loc: tuple[int | str, ...]) -> str:
    """Return where in the file a value is: tables of a list are counted from 1."""
    names = [str(part + 1) if isinstance(part, int) else part for part in loc]
    name = ".".join(names).removeprefix("judge_")
    return ": ".join(filter(None, (where, name))) or "the file"
