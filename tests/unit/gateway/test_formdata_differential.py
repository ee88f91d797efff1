"""Our reader of forms beside the `multipart` package: what both take, both read alike.

Where two readers in a row disagree about a body, one of them can be deceived. ADR 0028 says why
ours is the one in use.
"""

from __future__ import annotations

from itertools import pairwise

import multipart
from hypothesis import example, given
from hypothesis import strategies as st

from services.gateway.web.multipart import FormDataParser, PartBegins, PartData, PartEnds
from shared.runtime.errors import InvalidInput, TooLarge

Parts = list[tuple[str, bytes]]
_PART = b'--xYz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
_OPTIONS = st.sampled_from(
    [b"; name=a", b';name="b"', b'; NAME="c"', b"\tname=d", b"; name*=UTF-8''e", b'; filename="f"',
     b'; filename="; name=g"', b"; filename=h", b"; x", b' name="i"', b'"', b" ", b"\\"]
)  # fmt: skip
_DISPOSITION = st.tuples(
    st.sampled_from([b"form-data", b"Form-Data", b"attachment", b""]),
    st.lists(_OPTIONS, max_size=3),
).map(lambda found: b"Content-Disposition: " + found[0] + b"".join(found[1]))
_HEADERS = st.lists(
    _DISPOSITION
    | st.sampled_from([b"Content-Type: text/plain", b"X: y", b" folded", b"none", b"X:", b"\xff: z",
                       b"Content-Length: 1", b"Content-Transfer-Encoding: binary"]),
    min_size=1, max_size=3,
).map(b"\r\n".join)  # fmt: skip
_CONTENT = st.sampled_from(
    [b"", b"1", b"\r\n", b"\r\n--xY", b"\r\r\n", b"--xYz", b"\n--xYz", b"\0"]
)
_BOUNDARY = st.sampled_from(
    [b"\r\n--xYz\r\n"] * 8 + [b"\r\n--xYz \r\n", b"\r\n--xYz", b"\n--xYz\n"]
)
_PART = st.tuples(_BOUNDARY, _HEADERS, st.just(b"\r\n\r\n"), _CONTENT).map(b"".join)
_ENDS = st.sampled_from([b"\r\n--xYz--", b"\r\n--xYz--\r\n", b"\r\n--xYz--more", b"\r\n--xYz", b""])
_FORMS = st.tuples(
    st.sampled_from([b"", b"before", b"\r\n"]), st.lists(_PART, max_size=3).map(b"".join), _ENDS
).map(lambda found: b"".join(found).removeprefix(b"\r\n"))
_OPENED = b"--xYz\r\nContent-Disposition: form-data"
BODIES = _FORMS | st.binary(max_size=60) | st.tuples(_FORMS, _FORMS).map(b"".join)


def ours(body: bytes, cuts: list[int]) -> Parts | None:
    """Return the parts of a body that comes in pieces, None where it is refused."""
    parser = FormDataParser(b"xYz")
    parts: Parts = []
    try:
        for start, end in pairwise([0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]):
            for event in parser.feed(body[start:end]):
                match event:
                    case PartBegins(name):
                        parts.append((name, b""))
                    case PartData(data):
                        parts[-1] = (parts[-1][0], parts[-1][1] + data)
                    case PartEnds():
                        pass
        parser.finish()
    except (InvalidInput, TooLarge):
        return None
    return parts


def theirs(body: bytes) -> Parts | None:
    """Return the same as the package reads it in one piece, which it depends on."""
    parts: Parts = []
    try:
        with multipart.PushMultipartParser(b"xYz") as parser:
            for event in parser.parse(body):
                if isinstance(event, multipart.MultipartSegment):
                    parts.append((event.name or "", b""))
                elif event:
                    parts[-1] = (parts[-1][0], parts[-1][1] + event)
    except multipart.MultipartError:
        return None
    return parts


@given(BODIES, st.lists(st.integers(0, 400), max_size=6))
@example(_OPENED + b'; name=a\tname=d; name="b"\r\n\r\n1\r\n--xYz--', [])
@example(_OPENED + b'; filename="; name=a"; name="b"\r\n\r\n1\r\n--xYz--', [])
@example(_OPENED + b"; name=a; name=b\r\n\r\n1\r\n--xYz--", [])
@example(_OPENED + b"; x; name=a\r\n\r\n1\r\n--xYz--", [])
def test_what_both_take_both_read_alike(body: bytes, cuts: list[int]) -> None:
    mine, other = ours(body, cuts), theirs(body)
    # Names with escapes are kept by ours as they were sent, and undone by the package.
    if mine is None or other is None or b"\\" in body or b"%22" in body:
        return
    assert mine == other


@given(BODIES, st.lists(st.integers(0, 400), max_size=6))
def test_what_is_read_does_not_depend_on_the_cuts(body: bytes, cuts: list[int]) -> None:
    assert ours(body, cuts) == ours(body, [])
