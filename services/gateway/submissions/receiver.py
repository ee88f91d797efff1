"""Receives a submission form: streams the file to disk and counts every byte on the way."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Final

from aiohttp import ClientError, web

from medvid.benchmark.report import Problem
from medvid.models.fact_texts import LISTS
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import Caller
from services.gateway.submissions import forms
from services.gateway.submissions.records import Upload
from services.gateway.web.bodies import media_type
from services.gateway.web.multipart import (
    Event,
    FormDataParser,
    MalformedForm,
    PartBegins,
    PartData,
    PartEnds,
    boundary_of,
)
from services.gateway.web.slots import Slots
from shared.runtime.errors import InvalidInput, MedvidError, TooLarge

FORM_TYPE: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one upload may cost, and how many may come in at the same time."""

    body_bytes: int
    seconds: float
    idle_seconds: float
    concurrent: int
    per_address: int


class Receiver:
    """Turns requests into uploads; spooled files live in `folder` until the upload is left."""

    def __init__(self, folder: Path, limits: UploadLimits, quotas: Quotas) -> None:
        self._folder = folder
        self._quotas = quotas
        self._limits = limits
        self._slots = Slots("uploads", total=limits.concurrent, per_address=limits.per_address)

    def announced(self, request: web.Request) -> int:
        """Return how many bytes are announced, 0 where none are; raises TooLarge.

        Checked before quotas: what exceeds every limit is too large, and no quota is used up.
        """
        length = request.content_length or 0
        self._refuse_long(length)
        return length

    @asynccontextmanager
    async def receive(self, request: web.Request, caller: Caller) -> AsyncIterator[Upload]:
        """Read the whole form that a caller sends; one that breaks is paid for as far as it came.

        Raises MalformedForm, TooLarge, InvalidInput, Unavailable, QuotaExhausted.
        """
        _require_form(request)
        with (
            self._slots.taken(caller.address),
            tempfile.TemporaryDirectory(prefix="upload-", dir=self._folder) as folder,
        ):
            form = _Form(Path(folder) / "file")
            try:
                await self._read(request, form)
            except MedvidError:
                await self._quotas.count_upload(caller, form.size)
                raise
            finally:
                form.close()
            yield form.upload()

    async def _read(self, request: web.Request, form: _Form) -> None:
        parser = FormDataParser(boundary_of(request.headers.get("Content-Type", "")))
        try:
            async with asyncio.timeout(self._limits.seconds):
                while piece := await self._next(request):
                    form.size += len(piece)
                    self._refuse_long(form.size)
                    for event in parser.feed(piece):
                        form.take(event)
        except TimeoutError as error:
            raise _slow() from error
        except (web.RequestPayloadError, ClientError, ConnectionError) as error:
            raise MalformedForm("the body was cut off.", fix="Send the request again.") from error
        parser.finish()

    async def _next(self, request: web.Request) -> bytes:
        async with asyncio.timeout(self._limits.idle_seconds):
            return await request.content.readany()

    def _refuse_long(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise TooLarge(
                f"the request has more than {self._limits.body_bytes:,} bytes.",
                fix="Send the file gzip-compressed, with only id, qa_type and prediction.",
                code="upload_too_large",
            )


class _Form:
    """Collects the parts of a form: texts in memory within a limit, the file on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BufferedWriter | None = None
        self._digest = hashlib.sha256()
        self._texts: dict[str, bytearray] = {}
        self._problems: dict[str, Problem] = {}
        self.size = 0  # of the whole body
        self._current: str | None = None  # None: the current part's content is dropped

    def take(self, event: Event) -> None:
        match event:
            case PartBegins(name):
                self._begin(name)
            case PartData(data):
                self._add(data)
            case PartEnds():
                self._current = None

    def _begin(self, name: str) -> None:
        if name in LISTS and name in self._texts:  # a box of it for each value
            self._current = name
            self._add(b",")
            return
        if name in self._texts or (name == forms.FILE_FIELD and self._file is not None):
            self._problems[name] = forms.repeated(name)
            self._current = None
            return
        self._current = name
        if name == forms.FILE_FIELD:
            self._file = self._path.open("wb")
        else:
            self._texts[name] = bytearray()

    def _add(self, data: bytes) -> None:
        if self._current == forms.FILE_FIELD and self._file is not None:
            self._file.write(data)  # to the page cache: microseconds
            self._digest.update(data)
        elif self._current is not None:
            text = self._texts[self._current]
            text += data
            if len(text) > forms.MAX_FIELD_BYTES:
                self._problems[self._current] = forms.too_long(self._current)
                self._current = None

    def upload(self) -> Upload:
        """Return what was collected."""
        parts = {
            name: bytes(text) for name, text in self._texts.items() if name not in self._problems
        }
        texts, problems = forms.decode_fields(parts)
        return Upload(
            texts=texts,
            file=self._path if self._file is not None else None,
            file_sha256=self._digest.digest(),
            size=self.size,
            problems=[*self._problems.values(), *problems],
        )

    def close(self) -> None:
        """Flush the file."""
        if self._file is not None:
            self._file.close()


def _require_form(request: web.Request) -> None:
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    sent = media_type(request)
    if sent == FORM_TYPE and encoding == "identity":
        return
    found = sent if encoding == "identity" else f"Content-Encoding {encoding}"
    raise InvalidInput(
        f"the body is {found}, not {FORM_TYPE}.",
        fix="Send the form fields as multipart/form-data; the file itself may be gzip.",
        code="unsupported_media_type",
    )


def _slow() -> InvalidInput:
    return InvalidInput(
        "the body came too slowly and was given up.",
        fix="Send the file gzip-compressed, or over a faster connection.",
        code="upload_too_slow",
    )
