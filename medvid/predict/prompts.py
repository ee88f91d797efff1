"""What a model is asked: the question as it stands, or by a task's own prompt; perhaps an example.

A prompts file is a JSON object. Its keys are qa_types or tasks (`tal`, `dense_captioning_gpt`),
`default` for all others and `system` for a system message; its values are texts in which
`{question}` stands for the sample's question. A one-shot file holds records in the layout of the
training set: the first that fits a sample's qa_type (else its task) is shown as a solved example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from medvid.benchmark.tasks import QA_TYPES
from medvid.predict.frames import FrameSettings, data_url, render, video_url
from medvid.predict.samples import UnusableSample, VideoSample

Form = Literal["images", "video"]
Message = dict[str, Any]
"""A chat message as the API takes it."""
QUESTION: Final = "{question}"
_DEFAULT: Final = "default"
_SYSTEM: Final = "system"


class InvalidPrompts(ValueError):
    """A prompts or one-shot file cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """How samples are asked: templates by qa_type or task, and solved examples."""

    templates: Mapping[str, str] = field(default_factory=dict)
    examples: Sequence[VideoSample] = ()

    def text(self, sample: VideoSample) -> str:
        """Return what stands beside the frames: the question by its template."""
        item = sample.item
        for key in (item.qa_type, item.task.value, _DEFAULT):
            if key in self.templates:
                return self.templates[key].replace(QUESTION, item.question)
        return item.question

    def example(self, sample: VideoSample) -> VideoSample | None:
        """Return the solved example for a sample, None without a fitting one."""
        item = sample.item
        fitting = [each for each in self.examples if each.item.task == item.task]
        same = [each for each in fitting if each.item.qa_type == item.qa_type]
        return next(iter(same or fitting), None)

    def messages(self, sample: VideoSample, frames: FrameSettings, form: Form) -> list[Message]:
        """Return the chat that asks for a sample's answer; raises UnreadableFrame."""
        messages: list[Message] = []
        if _SYSTEM in self.templates:
            messages.append({"role": "system", "content": self.templates[_SYSTEM]})
        example = self.example(sample)
        if example is not None:
            messages.append(self._asking(example, frames, form))
            messages.append({"role": "assistant", "content": example.reference})
        messages.append(self._asking(sample, frames, form))
        return messages

    def _asking(self, sample: VideoSample, settings: FrameSettings, form: Form) -> Message:
        frames = render(sample, settings)
        parts: list[Message] = (
            [{"type": "video_url", "video_url": {"url": video_url(frames)}}]
            if form == "video"
            else [{"type": "image_url", "image_url": {"url": data_url(frame)}} for frame in frames]
        )
        return {"role": "user", "content": [*parts, {"type": "text", "text": self.text(sample)}]}


def read_templates(data: bytes) -> dict[str, str]:
    """Read a prompts file; raises InvalidPrompts."""
    try:
        read = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidPrompts(f"The prompts file is no JSON: {error}.") from None
    if not isinstance(read, dict) or not all(isinstance(text, str) for text in read.values()):
        raise InvalidPrompts("The prompts file must be a JSON object of texts.")
    known = {*QA_TYPES, _DEFAULT, _SYSTEM}
    for key, text in read.items():
        if key not in known:
            raise InvalidPrompts(f"The prompts file names {key!r}, which is no qa_type.")
        if key != _SYSTEM and QUESTION not in text:
            raise InvalidPrompts(f"The prompt for {key!r} does not say where {QUESTION} stands.")
    return read


def check_examples(examples: Sequence[VideoSample]) -> Sequence[VideoSample]:
    """Return one-shot examples; raises UnusableSample where one has no answer to show."""
    for example in examples:
        if not example.reference:
            raise UnusableSample(f"The example {example.item.id} has no answer to show.")
    return examples
