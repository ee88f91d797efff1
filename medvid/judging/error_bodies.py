"""What an endpoint says when it fails, out of a body of any shape: its text, codes and numbers."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

SHOWN_CHARACTERS: Final = 300
_READ_CHARACTERS: Final = 20_000
_READ_OF_PAGE: Final = 4_000
_DEPTH: Final = 8
_MOST_ITEMS: Final = 20
# In the order in which they say most.
_TEXTS: Final = (
    "message", "msg", "detail", "details", "error", "errors", "error_msg", "error_message",
    "error_description", "description", "reason", "title", "raw", "metadata", "failure",
    "base_resp", "status_msg",
)  # fmt: skip
_CODES: Final = frozenset(
    {
        "code",
        "type",
        "status",
        "reason",
        "error_code",
        "error_type",
        "quotaId",
        "innererror",
        "errorcode",
        "__type",
    }
)
_PARAMETERS: Final = ("param", "parameter")
# Attributes and data of pages may hold any characters; tags end at the first ">".
_HIDDEN: Final = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_PAGE: Final = re.compile(r"\s*(<!doctype html|<html|<head|<body|<\?xml)", re.IGNORECASE)
_REPEATED_WORDS: Final = 5
_LEFT_OUT: Final = "[…]"
_WORD: Final = re.compile(r"[^\W_]+")
_ESCAPE: Final = re.compile(r"\\+(?:u[0-9a-fA-F]{4}|[nrtbf])?")
_TAG: Final = re.compile(r"<[^<>]{0,2000}>")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What a body says: `text` for a human, `codes` and `parameters` as they are named in it."""

    text: str
    codes: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()
    number: int | None = None
    """An HTTP status inside of the body, as gateways give it under a 200."""
    is_page: bool = False


def read_error_body(body: object) -> ErrorBody:
    """Read a body: bytes or text as they came, or what they hold (JSON)."""
    if isinstance(body, bytes | str):
        raw = body[:_READ_CHARACTERS]
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
        try:
            body = load_json(body)
        except ValueError:
            return ErrorBody(_plain(text), is_page=is_page(text))
    nodes = list(_nodes(body, 0))
    return ErrorBody(
        text=" ".join(dict.fromkeys(filter(None, map(str.strip, _texts(body, 0))))),
        codes=frozenset(
            str(value)
            for node in nodes
            for key, value in node.items()
            if key in _CODES and isinstance(value, str | int) and not isinstance(value, bool)
        ),
        parameters=frozenset(_parameters(nodes)),
        number=next(filter(None, map(_status, nodes)), None),
    )


def load_json(text: bytes | str) -> object:
    """Return what JSON holds; raises ValueError.

    Lone surrogates, which orjson refuses, are let in: models and servers do write them.
    """
    found: object
    try:
        return orjson.loads(text)
    except ValueError:
        try:
            found = json.loads(text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    return found


def is_page(text: str) -> bool:
    """Tell whether a text is a web page."""
    return (
        re.match(r"\s*(<!doctype html|<html|<head|<body|<\?xml)", text, re.IGNORECASE) is not None
    )


def shown(text: str, sent: str = "") -> str:
    """Return text, cut, that any log, table or page can hold.

    Some providers repeat what they were sent, a reference among it, which owners never read: five
    words in a row that are also in `sent` are left out.
    """
    cut = _without_repeated(text, sent)[:SHOWN_CHARACTERS].encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else " " for character in cut)


def _without_repeated(text: str, sent: str) -> str:
    if not sent:
        return text
    known = {words for words, _, _ in _runs(sent)}
    parts, end = [], 0
    for words, start, stop in _runs(text):
        if words in known:
            if start >= end:
                parts += [text[end:start], _LEFT_OUT]
            end = stop
    return "".join([*parts, text[end:]])


def _runs(text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Yield each five words in a row with where they begin and end; escapes are no words."""
    plain = _ESCAPE.sub(lambda match: " " * len(match[0]), text)
    words = list(_WORD.finditer(plain))
    for at in range(len(words) - _REPEATED_WORDS + 1):
        run = words[at : at + _REPEATED_WORDS]
        yield tuple(word[0].casefold() for word in run), run[0].start(), run[-1].end()


def _nodes(body: object, depth: int) -> Iterator[Mapping[str, object]]:
    """Yield every object in a body, outermost first, also those that a text holds as JSON."""
    if depth > _DEPTH:
        return
    if isinstance(body, Mapping):
        yield body
        children = list(body.values())
    elif isinstance(body, list):
        children = body
    else:
        children = [_inner(body)]
    for child in children[:_MOST_ITEMS]:
        if child is not None:
            yield from _nodes(child, depth + 1)


def _inner(value: object) -> object:
    """Return the JSON object or array that a text is, as gateways pass errors on."""
    if not isinstance(value, str) or value.strip()[:1] not in ("{", "["):
        return None
    try:
        inner = load_json(value[:_READ_CHARACTERS])
    except ValueError:
        return None
    return inner if isinstance(inner, Mapping | list) else None


def _texts(body: object, depth: int) -> Iterator[str]:
    """Yield what is said, most telling first."""
    if depth > _DEPTH:
        return
    if isinstance(body, str):
        inner = _inner(body)
        if inner is None:
            yield _plain(body[:_READ_CHARACTERS])
        else:
            yield from _texts(inner, depth + 1)
    elif isinstance(body, list):
        for item in body[:_MOST_ITEMS]:
            yield from _texts(item, depth + 1)
    elif isinstance(body, Mapping):
        where = _location(body)
        said = [text for key in _TEXTS for text in _texts(body.get(key), depth + 1)]
        if where and said:
            said[0] = f"{where}: {said[0]}"
        yield from said


def _location(node: Mapping[str, object]) -> str:
    """Return where a validator found fault: ["body", "temperature"] is body.temperature."""
    location = node.get("loc")
    if not isinstance(location, list):
        return ""
    return ".".join(str(part) for part in location[:_MOST_ITEMS] if isinstance(part, str | int))


def _parameters(nodes: list[Mapping[str, object]]) -> Iterator[str]:
    for node in nodes:
        for key in _PARAMETERS:
            value = node.get(key)
            if isinstance(value, str):
                yield value
        location = node.get("loc")
        if isinstance(location, list):
            yield from (part for part in location[:_MOST_ITEMS] if isinstance(part, str))


def _status(node: Mapping[str, object]) -> int | None:
    for key in ("code", "status", "status_code", "http_status"):
        value = node.get(key)
        if isinstance(value, str) and re.fullmatch(r"[345][0-9]{2}", value):
            value = int(value)
        if isinstance(value, int) and 300 <= value < 600:
            return value
    return None


def _plain(text: str) -> str:
    """Return a text without the tags of a page."""
    if is_page(text):
        text = html.unescape(_TAG.sub(" ", _HIDDEN.sub(" ", text[:_READ_OF_PAGE])))
    return " ".join(text.split())
