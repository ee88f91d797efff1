"""Strict decoding: every refusal by name, and agreement with the standard library on the rest."""

import gzip
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark import scanning
from medvid.benchmark.decoding import SUBMISSION_LIMITS, UNDECODABLE, Limits, RefusedFile, decode
from medvid.benchmark.report import Problems
from medvid.benchmark.unpacking import MAX_GZIP_MEMBERS, unpack
from tests.depth import examples

exact = settings(deadline=None, derandomize=True, max_examples=examples(150))

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def decoded(data: bytes, limits: Limits = SUBMISSION_LIMITS) -> tuple[list[object], list[str]]:
    """Return the elements' values and the codes of all problems."""
    problems = Problems()
    try:
        values = [element.value for element in decode(data, limits).elements(problems)]
    except RefusedFile as refused:
        return [], [refused.problem.code]
    return values, [problem.code for problem in problems.first]


@exact
@given(st.lists(JSON_VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_valid_arrays_decode_as_the_standard_library_does(
    values: list[object], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    assert decoded(text.encode()) == (json.loads(text), [])


@exact
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON_VALUES, max_size=5))
def test_valid_objects_decode_as_the_standard_library_does(values: dict[str, object]) -> None:
    problems = Problems()
    document = decode(json.dumps(values).encode(), SUBMISSION_LIMITS)
    assert {e.key: e.value for e in document.elements(problems)} == values
    assert problems.count == 0


@exact
@given(st.binary(max_size=60) | st.text('[]{}",:\\u 1eaN\n', max_size=40).map(str.encode))
def test_nothing_but_refused_is_ever_raised_and_nothing_invalid_passes(data: bytes) -> None:
    values, codes = decoded(data)
    if not codes:
        assert values == list(_container_values(json.loads(data.removeprefix(b"\xef\xbb\xbf"))))


@exact
@given(st.lists(JSON_VALUES, max_size=4), st.data())
def test_any_damage_by_one_byte_is_noticed_or_harmless(
    values: list[object], data: st.DataObject
) -> None:
    text = bytearray(json.dumps(values).encode())
    position = data.draw(st.integers(0, len(text) - 1))
    text[position] = data.draw(st.sampled_from(b'[]{}",:\\ 0x\x00\xff'))
    found, codes = decoded(bytes(text))
    if not codes:
        assert found == list(_container_values(json.loads(bytes(text))))


def _container_values(document: object) -> list[object]:
    if isinstance(document, dict):
        return list(document.values())
    assert isinstance(document, list)
    return document


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64])
def test_block_borders_change_nothing(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [{"a\\": 'b"\\\\"', "c": ["\\", '"]', {"{": "}"}]}, "\\\\\\", [[], {}], 1.5, "é😀"]
    text = json.dumps(values, ensure_ascii=False).encode()
    monkeypatch.setattr(scanning, "BLOCK_BYTES", size)
    assert decoded(text) == (values, [])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b" \n\t ", "empty_file"),
        (b'"text"', "wrong_shape"),
        (b"17", "wrong_shape"),
        (b"PK\x03\x04rest", "wrong_shape"),
        ("[]".encode("utf-16"), "invalid_utf8"),
        (b"[1", "invalid_json"),
        (b'["open]', "invalid_json"),
        (b"[1}", "invalid_json"),
        (b"[1,]", "invalid_json"),
        (b"[,1]", "invalid_json"),
        (b'{"a":1,}', "invalid_json"),
        (b'{"a"}', "invalid_json"),
        (b"[01]", "invalid_json"),
        (b"['a']", "invalid_json"),
        (b"[1]]", "trailing_data"),
        (b'{"a":1,\n"b":2}\n{"a":1}', "trailing_data"),
        (b'[{"id":"a"}]\n{"id":"b"}', "trailing_data"),
        (b"[NaN]", "non_finite_number"),
        (b"[-Infinity]", "non_finite_number"),
        (b"[Infinity]", "non_finite_number"),
        (b"[" + b"1" * 5000 + b"]", "number_out_of_range"),
        (b"[-1e999]", "number_out_of_range"),
        (b'["\\ud800"]', "lone_surrogate"),
        (b'["\\udc00\\ud800"]', "lone_surrogate"),
        (b'["\xed\xa0\x80"]', "invalid_utf8"),
        (b'["\xff"]', "invalid_utf8"),
        (b'["a\nb"]', "invalid_json"),
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'[{"a":1,"a":1}]', "duplicate_key"),
        (b'[{"b":[{"a":1,"\\u0061":2}]}]', "duplicate_key"),
        (b"[" * 21 + b"]" * 21, "nested_too_deep"),
        (b"[" * 200_000, "nested_too_deep"),
        (b"[" + b"1," * 50_000 + b"1]", "too_many_records"),
        (b'["' + b"x" * (1 << 20) + b'"]', "record_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_refusals_name_the_problem(data: bytes, code: str) -> None:
    assert decoded(data)[1] == [code]


def test_limits_themselves_are_allowed() -> None:
    assert decoded(b"[" * 20 + b"]" * 20)[1] == []
    assert len(decoded(b"[" + b"1," * 49_999 + b"1]")[0]) == 50_000
    assert decoded(b'{"a":1,"b":2}', Limits(keys=2))[1] == []
    assert decoded(b'{"a":1,"b":2}', Limits(keys=1))[1] == ["too_many_keys"]


def test_a_byte_order_mark_is_skipped() -> None:
    assert decoded(b"\xef\xbb\xbf [1]") == ([1], [])


def test_one_bad_record_does_not_hide_the_others() -> None:
    values, codes = decoded(b'[1, nope, {"a":1,"a":2}, NaN, 5]')
    assert codes == ["invalid_json", "duplicate_key", "non_finite_number"]
    assert (values[0], values[1], values[4]) == (1, UNDECODABLE, 5)


def test_offsets_count_bytes_of_the_whole_file() -> None:
    problems = Problems()
    list(decode('["é", xx]'.encode(), SUBMISSION_LIMITS).elements(problems))
    assert problems.first[0].path == "$[1]"
    assert "at byte 7" in problems.first[0].found


def test_equal_problems_are_one_group_with_its_first_places_and_all_are_counted() -> None:
    problems = Problems()
    data = b"[" + b"NaN," * 300 + b"1]"
    list(decode(data, SUBMISSION_LIMITS).elements(problems))
    (group,) = problems.first
    assert (problems.count, group.count) == (300, 300)
    assert group.path == "$[0]"
    assert group.places == ("$[0]", "$[1]", "$[2]")


def test_gzip_in_one_or_several_members_and_with_zero_padding() -> None:
    text = json.dumps(["x" * 50_000, "y"]).encode()
    members = gzip.compress(text[:100]) + gzip.compress(b"") + gzip.compress(text[100:])
    assert bytes(unpack(gzip.compress(text), 1 << 20)) == text
    assert bytes(unpack(members + b"\0" * 512, 1 << 20)) == text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gzip.compress(b"[1]", mtime=0)[:-1], "bad_gzip"),
        (gzip.compress(b"[1]", mtime=0)[:5], "bad_gzip"),
        (b"\x1f\x8b", "bad_gzip"),
        (b"\x1f\x8bgarbage", "bad_gzip"),
        (gzip.compress(b"[1]", mtime=0) + b"[2]", "bad_gzip"),
        (gzip.compress(b"[1]", mtime=0)[:-8] + b"\0" * 8, "bad_gzip"),
        (gzip.compress(b"", mtime=0) * (MAX_GZIP_MEMBERS + 1), "bad_gzip"),
        (gzip.compress(b"", mtime=0), "empty_file"),
        (gzip.compress(gzip.compress(b"[1]", mtime=0), mtime=0), "wrong_shape"),
        (zlib.compress(b"[1]"), "wrong_shape"),
    ],
)
def test_damaged_gzip_is_refused(data: bytes, code: str) -> None:
    assert decoded(data)[1] == [code]


def test_the_byte_budget_holds_packed_and_plain() -> None:
    limits = Limits(unpacked_bytes=1000)
    assert decoded(gzip.compress(b" " * 998 + b"[]"), limits) == ([], [])
    assert decoded(gzip.compress(b" " * 50_000_000 + b"[]"), limits)[1] == ["file_too_large"]
    assert decoded(b" " * 999 + b"[]", limits)[1] == ["file_too_large"]


@exact
@given(st.binary(max_size=200), st.integers(0, 250))
def test_unpacking_any_cut_or_continued_gzip_never_raises_anything_else(
    content: bytes, cut: int
) -> None:
    data = gzip.compress(content, mtime=0)[:cut] + content
    assert outcome(data) in (content, data, "bad_gzip")


def outcome(data: bytes) -> bytes | str:
    try:
        return bytes(unpack(data, 10_000))
    except RefusedFile as refused:
        return str(refused.problem.code)


@pytest.mark.parametrize(
    ("field", "skips"), [("prediction", True), ("response", True), ("cvs_acc", False)]
)
def test_only_of_answers_nan_is_said_to_mark_failed_samples(field: str, *, skips: bool) -> None:
    problems = Problems()
    list(decode(f'[{{"{field}": NaN}}]'.encode(), SUBMISSION_LIMITS).elements(problems))
    (problem,) = problems.first
    assert problem.path == f"$[0].{field}"
    assert ("--failed skip" in problem.fix) is skips
