"""`GET /test-set`: the public part of the test set, where the operator publishes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from medvid.benchmark.test_set_file import InvalidTestSet, load_test_set
from medvid.benchmark.unpacking import LARGEST_PUBLIC_FILE, RefusedFile, unpack
from services.gateway.web.endpoints import JSON, Reply
from services.gateway.web.representations import Representation, represent
from services.gateway.web.router import Router
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.site import site, the_maintainers
from shared.runtime.errors import Misconfigured, NotFound

router: Final = Router("submissions")
_CACHE: Final = "public, max-age=86400"
_HOW_TO: Final = "docs/operations.md, 'Publish the test set', shows how to make the file."
_Value = str | int | float


class _Public(BaseModel):
    """What may be published is listed: a field that nobody thought of is refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class PublicTurn(_Public):
    """A turn of the conversation; an answer would be another speaker's."""

    speaker: Annotated[str, Field(alias="from", pattern="^(human|user)$")]
    value: str


class PublicClip(_Public):
    """Which clip is asked about; the names are those of `medvid.benchmark.clips`."""

    video_id: _Value
    fps: _Value
    input_video_start_frame: _Value = ""
    input_video_end_frame: _Value = ""
    start_frame: _Value = ""
    end_frame: _Value = ""
    input_video_start_time: _Value = ""
    input_video_end_time: _Value = ""


class PublicRegion(_Public):
    """Which region of the video is asked about, of region captions."""

    start_frame: int
    end_frame: int
    start_frame_bbox: list[int | float]
    end_frame_bbox: list[int | float] = []


class PublicSample(_Public):
    """A question of the test set, without its answer."""

    qa_type: str
    id: str = ""
    question: str = ""
    data_source: str = ""
    dataset_name: str = ""
    metadata: PublicClip | None = None
    conversations: list[PublicTurn] = []
    sampled_video_frames: list[int | float] = []
    video: str | list[str] = []
    train: bool = False
    is_RC: bool = False  # noqa: N815 - the benchmark's name
    RC_info: PublicRegion | None = None


class PublicTestSet(RootModel[list[PublicSample]]):
    """The questions of the test set, in its order."""


class PublishedTestSet:
    """The file that the operator publishes, ready to be sent; None where none is."""

    def __init__(self, file: Path | None) -> None:
        """Read the file; raises Misconfigured where it cannot be read or may hold answers."""
        self.representation = None if file is None else _ready(file)


def _ready(file: Path) -> Representation:
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_PUBLIC_FILE + 1)
        # What is served is what was checked, not the bytes around it.
        samples = PublicTestSet.model_validate_json(bytes(unpack(data, LARGEST_PUBLIC_FILE)))
        body = samples.model_dump_json(by_alias=True, exclude_unset=True).encode()
        load_test_set(body)
    except OSError as error:
        raise _unusable(file, error.strerror or str(error)) from error
    except (RefusedFile, InvalidTestSet) as error:
        raise _unusable(file, str(error)) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise _unusable(
            file, f"{place}: {first['msg']}; a public test set has questions and no answers"
        ) from None  # the original shows what was found, which may be an answer
    return represent(body, content_type=JSON, cache_control=_CACHE, headers=READ_HEADERS)


def _unusable(file: Path, reason: str) -> Misconfigured:
    return Misconfigured(
        f"MEDVID_TEST_SET: {file} cannot be published: {reason}.",
        fix=f"Give a file without answers, or unset it. {_HOW_TO}",
    )


@router.get(
    "/test-set",
    reply=Reply("The test set without its answers.", {JSON: PublicTestSet}, etag=True),
    problems=("test_set_not_published",),
)
async def read_test_set(test_set: PublishedTestSet) -> Representation:
    """Read the public part of the test set.

    What `medvid submit` and `medvid validate --test-set` check a file against: an array with a
    record a sample, in the order of the test set. It changes only with the test set: keep it, and
    ask with its ETag.
    """
    if test_set.representation is None:
        raise NotFound(
            "this server does not publish its test set.",
            fix=f"{_elsewhere()} POST /api/v1/validate checks a file all the same.",
            code="test_set_not_published",
        )
    return test_set.representation


def _elsewhere() -> str:
    data = site().links.data
    return f"Get it from {data}." if data else f"Ask {the_maintainers()} for it."
