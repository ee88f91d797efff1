"""The multipart reader: the same events however the body is cut; every malformation is named."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.web.multipart import (
    MAX_HEADER_BYTES,
    MAX_PARTS,
    FormDataParser,
    MalformedForm,
    PartBegins,
    PartData,
    PartEnds,
    boundary_of,
)
from shared.runtime.errors import TooLarge

BOUNDARY = b"xYz"


def body_of(parts: Iterable[tuple[str, bytes]]) -> bytes:
    blocks = [
        b'--xYz\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in parts
    ]
    return b"".join(blocks) + b"--xYz--\r\n"


def parse(pieces: Iterable[bytes]) -> list[tuple[str, bytes]]:
    parser = FormDataParser(BOUNDARY)
    parts: list[tuple[str, bytes]] = []
    ended = 0
    for piece in pieces:
        for event in parser.feed(piece):
            match event:
                case PartBegins(name):
                    parts.append((name, b""))
                case PartData(data):
                    parts[-1] = (parts[-1][0], parts[-1][1] + data)
                case PartEnds():
                    ended += 1
    parser.finish()
    assert ended == len(parts)
    return parts


CONTENT = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"\r\n", b"--", b"-", b"xYz", b"\r", b"a", b"\r\n--xY"])).map(
        b"".join
    ),
).filter(lambda data: b"\r\n--xYz" not in b"\r\n" + data)


@given(
    parts=st.lists(st.tuples(st.sampled_from(["file", "model_name"]), CONTENT), max_size=5),
    cuts=st.lists(st.integers(0, 600), max_size=12),
)
def test_parts_come_back_whatever_the_cuts(parts: list[tuple[str, bytes]], cuts: list[int]) -> None:
    body = body_of(parts)
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    assert parse(pieces) == parts


def test_byte_by_byte() -> None:
    parts = [("file", b'[{"a": 1}]'), ("model_name", b""), ("file", b"\r\n\r\n--")]
    assert parse(bytes([byte]) for byte in body_of(parts)) == parts


@given(st.binary(max_size=300))
def test_noise_never_raises_anything_else(noise: bytes) -> None:
    for body in (noise, b"--xYz" + noise, b"--xYz\r\n" + noise):
        with suppress(MalformedForm, TooLarge):
            parse([body])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends before"),
        (b"no boundary here", "ends before"),
        (b"x" * 2000, "no boundary within"),
        (b"x" * 2000 + b"\r\n" + body_of([("file", b"x")]), "no boundary within"),
        (b"--xYz\r\n", "ends before"),
        (b"--xYzzz\r\n\r\n", "followed by other text"),
        (b"--xYz\r\n\r\ndata\r\n--xYz--", "no Content-Disposition"),
        (b"--xYz\r\nContent-Disposition: attachment\r\n\r\n", "no Content-Disposition"),
        (b"--xYz\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\n", "or with two"),
        (b'--xYz\r\nContent-Disposition: form-data; filename="; name=a"\r\n\r\n', "with a name"),
        (b"--xYz\r\nContent-Disposition: form-data; name=\xff\r\n\r\n", "not UTF-8"),
        (
            b"--xYz\r\nContent-Disposition: form-data; name=a\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            "Content-Transfer-Encoding",
        ),
        (body_of([("file", b"x")])[:-10], "ends before"),
    ],
)
def test_malformed_bodies_are_named(body: bytes, words: str) -> None:
    with pytest.raises(MalformedForm, match=words):
        parse([body])


def test_too_many_parts_and_too_long_headers() -> None:
    with pytest.raises(TooLarge, match="parts"):
        parse([body_of([("a", b"")] * (MAX_PARTS + 1))])
    with pytest.raises(TooLarge, match="headers"):
        parse([b"--xYz\r\nX: " + b"y" * MAX_HEADER_BYTES])


def test_quoted_and_bare_names() -> None:
    for disposition, name in [
        (b'form-data; name="a b"; filename="x"', "a b"),
        (b"form-data; name=plain", "plain"),
        (b'form-data; filename="name=no"; name="yes"', "yes"),
        (b'form-data; filename="; name=no"; name="yes"', "yes"),
        (b'form-data; filename="a\\"; name=no"; Name="yes"', "yes"),
        (b"form-data;name=plain", "plain"),
    ]:
        body = b"--xYz\r\nContent-Disposition: " + disposition + b"\r\n\r\n1\r\n--xYz--"
        assert parse([body]) == [(name, b"1")]


@pytest.mark.parametrize("header", ["multipart/form-data", "multipart/form-data; boundary=", "x"])
def test_a_missing_boundary_is_named(header: str) -> None:
    with pytest.raises(MalformedForm, match="boundary"):
        boundary_of(header)


def test_boundaries() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
    with pytest.raises(MalformedForm):
        boundary_of("multipart/form-data; boundary=" + "a" * 71)
