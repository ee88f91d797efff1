"""Atom feeds (RFC 4287) as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

ATOM_TYPE: Final = "application/atom+xml; charset=utf-8"
_NAMESPACE: Final = "http://www.w3.org/2005/Atom"
# What XML 1.0 cannot hold, however it is written.
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class News:
    """An entry of a feed. `id` is an IRI that it keeps for ever, `page` where to read more.

    `published` is when it came, None where nothing has changed about it since.
    """

    id: str
    title: str
    author: str
    summary: str
    page: str
    updated: datetime
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed, with the addresses of itself and of the page that shows the same."""

    id: str
    title: str
    address: str
    page: str
    updated: datetime
    subtitle: str = ""

    def text(self, news: Sequence[News]) -> bytes:
        """Return the feed with these entries as XML in UTF-8."""
        root = Element("feed", {"xmlns": _NAMESPACE, "xml:lang": "en"})
        _text(root, "id", self.id)
        _text(root, "title", self.title)
        if self.subtitle:
            _text(root, "subtitle", self.subtitle)
        _text(root, "updated", _moment(self.updated))
        _link(root, "self", self.address, "application/atom+xml")
        _link(root, "alternate", self.page, "text/html")
        for item in news:
            entry = SubElement(root, "entry")
            _text(entry, "id", item.id)
            _text(entry, "title", item.title)
            _text(entry, "updated", _moment(item.updated))
            _text(entry, "published", _moment(item.published or item.updated))
            _text(SubElement(entry, "author"), "name", item.author)
            _link(entry, "alternate", item.page, "text/html")
            _text(entry, "summary", item.summary)
        text: str = tostring(root, encoding="unicode")
        return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'.encode()


def _text(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = _NO_XML.sub("\ufffd", text)


def _link(parent: Element, relation: str, address: str, media_type: str) -> None:
    SubElement(parent, "link", {"rel": relation, "type": media_type, "href": address})


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
