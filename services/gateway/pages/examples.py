"""An example of each operation to copy and run: a curl command, and a Python program.

Both are made from the API's description. What is a reader's own (the site, keys, ids) stands in
variables of the environment, which the page explains. Programs call the `medvid` client as
`data/python_calls.toml` says; an operation that it does not name is sent with Python's own library.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

from services.gateway.web.endpoints import EVENTS, FORM

Json = Mapping[str, Any]

UNKNOWN: Final = "…"
SITE: Final = "MEDVID_URL"
OWNER_TOKEN: Final = "MEDVID_TOKEN"  # noqa: S105 - a name
API_KEY: Final = "MEDVID_API_KEY"
ADMIN_KEY: Final = "MEDVID_ADMIN_KEY"
_VARIABLE: Final = re.compile(r"\$(\w+)")
_IN_PATH: Final = re.compile(r"(?:([\w-]+)/)?\{(\w+)\}")
_TEXTS: Final = ("application/json", "text/", "application/problem+json")
_IMPORTS: Final = {
    "json.dumps(": "import json",
    "environ[": "from os import environ",
    "Path(": "from pathlib import Path",
    "urlopen(": "from urllib.request import Request, urlopen",
}
_IMPORTS_OF_MEDVID: Final = {
    " Client(": "from medvid import Client",
    " KeyQuotas(": "from medvid.api import KeyQuotas",
}
"""What a program imports by what it uses, in the usual order."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Two programs that do the same; `variables` are those that a reader sets."""

    curl: str
    python: str
    variables: tuple[str, ...]


def examples_of(method: str, path: str, operation: Json, schemas: Json) -> Examples:
    """Return an operation's examples; `schemas` are the models of the description, by name.

    Where a value has no example of its own, "…" stands for it. A form or a file that no client's
    call sends has no program.
    """
    call = _Call.of(method.upper(), path, operation, schemas)
    curl = call.curl()
    program = python_calls().get(operation["operationId"])
    python = _with_client(program, call.credential) if program else call.program()
    return Examples(curl, python, tuple(dict.fromkeys(_VARIABLE.findall(curl))))


@cache
def python_calls() -> Mapping[str, str]:
    """Return what the client is asked, by the operation's id."""
    text = files(__package__).joinpath("data/python_calls.toml").read_text("utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True, slots=True)
class _Call:
    """A request as an example sends it; `address` and `token` may name variables ($NAME)."""

    method: str
    address: str
    credential: str | None
    media_type: str | None
    body: Any
    file: str
    events: bool
    binary: bool

    @classmethod
    def of(cls, method: str, path: str, operation: Json, schemas: Json) -> _Call:
        answers = next(
            list(response.get("content", {}))
            for status, response in operation["responses"].items()
            if status.startswith("2")
        )
        media_type, body = _body(operation.get("requestBody"), schemas)
        return cls(
            method=method,
            address=f"${SITE}{_address(path, operation.get('parameters', []), schemas)}",
            credential=_credential(operation["security"]),
            media_type=media_type,
            body=body,
            file=f"{path.rpartition('/')[2]}.json",
            events=EVENTS in answers,
            binary=bool(answers) and not answers[0].startswith((*_TEXTS, EVENTS)),
        )

    def curl(self) -> str:
        return " \\\n  ".join([f'curl {self._flags()}"{self.address}"', *self._options()])

    def _flags(self) -> str:
        flags = "-N " if self.events else "-OJ " if self.binary else ""
        return f"{flags}-X {self.method} " if self.method not in self._implied() else flags

    def _implied(self) -> tuple[str, ...]:
        return ("GET",) if self.media_type is None else ("POST",)

    def _options(self) -> Iterator[str]:
        if self.credential:
            yield f'-H "Authorization: Bearer ${self.credential}"'
        if self.media_type == FORM:
            yield from (f"-F {shlex.quote(f'{name}={text}')}" for name, text in self.body.items())
        elif self.media_type is not None:
            yield f"-H 'Content-Type: {self.media_type}'"
            yield (
                f"--data-binary @{self.file}"
                if self.body is None
                else f"-d {shlex.quote(json.dumps(self.body, ensure_ascii=False))}"
            )

    def program(self) -> str:
        """Return a program that needs no package; "" for a form or a file."""
        if self.media_type == FORM or (self.media_type and self.body is None):
            return ""
        address = _VARIABLE.sub(r"{environ['\1']}", self.address)
        given = [f'f"{address}"']
        if self.method not in ("GET", "POST") or (self.method == "POST" and self.body is None):
            given.append(f'method="{self.method}"')
        headers = {}
        if self.credential:
            headers["Authorization"] = f"f\"Bearer {{environ['{self.credential}']}}\""
        if self.media_type is not None:
            headers["Content-Type"] = f'"{self.media_type}"'
            given.append(f"data=json.dumps({self.body!r}).encode()")
        if headers:
            shown = ", ".join(f'"{name}": {value}' for name, value in headers.items())
            given.append(f"headers={{{shown}}}")
        request = f"Request({given[0]})"
        if len(given) > 1:
            request = "Request(\n    " + ",\n    ".join(given) + ",\n)"
        return _importing(
            f"request = {request}\n"
            "with urlopen(request) as answer:\n"
            "    for line in answer:\n"
            "        print(line.decode().rstrip())"
        )


def _with_client(call: str, credential: str | None) -> str:
    """Return a program that calls the client, which knows MEDVID_URL and MEDVID_API_KEY itself."""
    key = "" if credential in (None, API_KEY) else f'key=environ["{credential}"]'
    call = f"print({call})" if call.startswith("client.") else call
    inside = "\n".join(f"    {line}" for line in call.strip().split("\n"))
    return _importing(f"with Client({key}) as client:\n{inside}")


def _importing(program: str) -> str:
    """Return a program with its imports."""
    found = [
        "\n".join(line for use, line in imports.items() if use in program)
        for imports in (_IMPORTS, _IMPORTS_OF_MEDVID)
    ]
    return "\n\n".join([*filter(None, found), program])


def _credential(security: Sequence[Json]) -> str | None:
    """Return the variable of what is sent; None where nothing has to be."""
    if {} in security:
        return None
    if any("ownerToken" in each for each in security):
        return OWNER_TOKEN
    scopes = {scope for each in security for scope in each.get("apiKey", [])}
    return ADMIN_KEY if scopes == {"admin"} else API_KEY


def _address(path: str, parameters: Sequence[Json], models: Json) -> str:
    """Return a path with a value or a variable in each place, and what its query has to have."""
    schemas = {
        each["name"]: _resolved(each["schema"], models)
        for each in parameters
        if each["in"] == "path"
    }

    def filled(found: re.Match[str]) -> str:
        before, name = found.groups()
        known = schemas[name].get("examples") or schemas[name].get("enum")
        return f"{before}/{known[0] if known else f'${_singular(before)}'}"

    query = "&".join(
        f"{each['name']}={_in_query(each)}"
        for each in parameters
        if each["in"] == "query" and each["required"]
    )
    return _IN_PATH.sub(filled, path) + (f"?{query}" if query else "")


def _singular(word: str) -> str:
    """Return a variable's name for one of what a path's segment lists: entries, ENTRY."""
    word = word.replace("-", "_").upper()
    return f"{word.removesuffix('IES')}Y" if word.endswith("IES") else word.removesuffix("S")


def _in_query(parameter: Json) -> str:
    if parameter["schema"].get("format") == "uuid":
        return f"$ENTRY_{parameter['name'].upper()}"
    if parameter["schema"].get("format") == "entry-ids":
        return "$ENTRY_A,$ENTRY_B"
    return quote(str(example_of(parameter["schema"], {})), safe="")


def _body(request: Json | None, schemas: Json) -> tuple[str | None, Any]:
    """Return media type and example of what has to be sent; of an array None: it is in a file."""
    if request is None or not request["required"]:
        return None, None
    ((media_type, content),) = request["content"].items()
    schema = _resolved(content["schema"], schemas)
    if schema.get("type") == "array":
        return media_type, None
    body = example_of(schema, schemas)
    if media_type != FORM:
        return media_type, body
    return media_type, {
        name: f"@{value}" if schema["properties"][name].get("format") == "binary" else value
        for name, value in body.items()
    }


def _resolved(schema: Json, schemas: Json) -> Json:
    """Return the model that a schema refers to, or itself."""
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def example_of(schema: Json, schemas: Json) -> Any:
    """Return a value that a schema takes: its example, or of an object what is required."""
    schema = _resolved(schema, schemas)
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        required = schema.get("required", [])
        return {name: example_of(schema["properties"][name], schemas) for name in required}
    return schema.get("minimum", 1) if schema.get("type") == "integer" else UNKNOWN
