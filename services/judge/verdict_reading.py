"""Reads a completion as a verdict, whichever way it came: online, or in a batch's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from medvid.judging.calls import Completion
from medvid.judging.forms import named
from medvid.judging.model_names import counts_as, is_confirmed
from medvid.judging.prompt import Form
from medvid.judging.rationale import Rationale
from medvid.judging.replies import InvalidReply, ReadVerdict, read_reply
from medvid.judging.versions import JudgeVersion
from services.judge.model_calls import Tally
from services.judge.verdict import Verdict

_RAW_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class VerdictReader:
    """Reads completions for a judge version.

    `model_prefix`: answers of which models count; None for the version's own and its dated ones.
    """

    version: JudgeVersion
    rationale: Rationale | None
    model_prefix: str | None = None

    def read(self, completion: Completion, form: Form, tally: Tally) -> Verdict:
        """Return the verdict, scored or not; what the tally's last call cost may be wasted."""
        model, said = self.version.model, completion.model
        reply: ReadVerdict | None = None
        reason, detail = None, ""
        if not counts_as(model, said, prefix=self.model_prefix):
            reason = "other_model"
            detail = (
                f"the answer is of the model {said or '(none named)'}. If that is the one you "
                f"mean, set MEDVID_JUDGE_MODEL_PREFIX={said}"
            )
        else:
            try:
                reply = read_reply(
                    completion.content,
                    finish_reason=completion.finish_reason,
                    refusal=completion.refusal,
                    rationale=self.rationale,
                    parser=self.version.parser,
                )
            except InvalidReply as error:
                reason, detail = error.reason, error.detail
        if reason is not None:
            tally.wasted(reason)
        return replace(
            verdict(tally, reply.scores if reply else None, reason, detail, completion),
            rationale=reply.rationale if reply else None,
            reply_form=named(form),
            served_by=completion.facts,
            is_confirmed=is_confirmed(model, said, completion.facts),
        )


def verdict(
    tally: Tally,
    scores: Mapping[str, int] | None,
    reason: str | None,
    detail: str,
    completion: Completion | None = None,
) -> Verdict:
    """Return a verdict, with what its calls used."""
    # Of a long one the end: the verdict is behind the thoughts.
    reply = (completion.content or completion.refusal or "") if completion else ""
    return Verdict(
        scores=scores,
        unscored_reason=reason,
        detail=detail,
        raw_reply=reply[-_RAW_CHARACTERS:],
        model=completion.model if completion else "",
        used=tally.used,
        latency_seconds=tally.latency,
        attempts=tally.attempts,
        cost_microusd=tally.cost,
        is_estimated=tally.is_estimated,
        waste=tally.waste,
    )
