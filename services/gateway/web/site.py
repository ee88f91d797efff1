"""Where readers reach the gateway, what it links to outside, and who runs it.

Set once, around the gateway's life; whatever builds an answer asks `site()` for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from medvid.models.site import SiteLinks

_MAIL: Final = re.compile(r"(?:mailto:)?[^\s@,:;<>\"]+@[^\s@,:;<>\"/?#]+\.[^\s@,:;<>\"/?#]+")
_MAILTO: Final = "mailto:"
_ANCESTOR: Final = re.compile(r"\*|'self'|https?://(\*\.)?\w[\w.-]*(:(\d{1,5}|\*))?", re.ASCII)
_HUB: Final = re.compile(r"https://huggingface\.co/datasets/([\w.-]+/[\w.-]+)/?", re.ASCII)
MAINTAINERS: Final = "MedVidBench maintainers"
"""The operator's name where the settings have none."""


@dataclass(frozen=True, slots=True)
class Paper:
    """The benchmark's paper, as citations name it; `authors` are names as they are written."""

    title: str
    authors: tuple[str, ...]
    year: int


@dataclass(frozen=True, slots=True)
class Site:
    """Where readers reach the gateway: `https://example.org`, and the path that it is below.

    Both are '' where that is not set.
    """

    origin: str = ""
    prefix: str = ""
    links: SiteLinks = field(default_factory=SiteLinks)
    paper: Paper | None = None
    maintainers: str = MAINTAINERS
    frame_ancestors: str = ""
    """The sites that may show boards in a frame, as a Content-Security-Policy names them."""

    @classmethod
    def of(
        cls,
        public_url: str | None,
        links: SiteLinks | None = None,
        paper: Paper | None = None,
        maintainers: str = "",
        frame_ancestors: str = "",
    ) -> Site:
        """Return the site of a setting that `check_public_url` passed, and of others."""
        found = urlsplit((public_url or "").rstrip("/"))
        return cls(
            f"{found.scheme}://{found.netloc}" if public_url else "",
            found.path,
            links or SiteLinks(),
            paper,
            maintainers or MAINTAINERS,
            frame_ancestors,
        )

    @property
    def hub_dataset(self) -> str | None:
        """The id of the data set on Hugging Face's Hub, where that is what `links.data` names."""
        found = _HUB.fullmatch(self.links.data or "")
        return found[1] if found else None

    def absolute(self, address: str) -> str:
        """Return an address with its origin, where that is known."""
        return self.origin + address

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Make it the site of what runs here, and in tasks that are started within."""
        before = _site.get()
        _site.set(self)
        try:
            yield
        finally:
            _site.set(before)  # no reset: a fixture may be left in another context


_site: ContextVar[Site] = ContextVar("site", default=Site())  # noqa: B039 - it never changes


def site() -> Site:
    """Return the site of the gateway that runs in this context."""
    return _site.get()


def the_maintainers() -> str:
    """Return who is to be asked, with the way to reach them where that is known."""
    contact = site().links.contact
    return f"the maintainers ({contact.removeprefix(_MAILTO)})" if contact else "the maintainers"


def check_link(text: str | None) -> str | None:
    """Return a setting that is a web address; raises ValueError for any other."""
    if not text:
        return None
    try:
        found = urlsplit(text)
        is_address = found.scheme in ("http", "https") and bool(found.hostname)
    except ValueError:
        is_address = False
    if not is_address or not text.isprintable() or re.search(r"[\s<>\"{}|\\^`]", text):
        raise ValueError("is no web address; set it to one like https://example.org/page")
    return text


def check_contact(text: str | None) -> str | None:
    """Return a setting of whom to ask: a mail address, as mailto:, or a web address."""
    if text and _MAIL.fullmatch(text):
        return _MAILTO + text.removeprefix(_MAILTO)
    try:
        return check_link(text)
    except ValueError:
        raise ValueError(
            "is neither a mail address nor a web address; set it to one like board@example.org "
            "or https://example.org/contact"
        ) from None


def check_ancestors(text: str) -> str:
    """Return a setting of the sites that may show boards in a frame; raises ValueError."""
    sources = text.split()
    if not all(_ANCESTOR.fullmatch(each) for each in sources):
        raise ValueError(
            "names no sites; set it to their origins, as in 'https://lab.example https://*.uni.edu'"
            " (a host with other letters as xn--...), or to * for every site"
        )
    return " ".join(sources)


def check_words(text: str) -> str:
    """Return a setting that is a line of text, without needless spaces; raises ValueError."""
    words = " ".join(text.split(" "))
    if not words.isprintable():
        raise ValueError("has a line break or another character that cannot be printed")
    return words.strip()
