"""The words by which providers tell why they refuse a call, in codes and in texts.

One regular expression a line, gathered from providers' documentation and public bug reports. A
new provider's words go here, with its reply as a case of tests/unit/medvid/judging.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from medvid.judging.calls import Cause


def _any_of(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases), re.IGNORECASE)


POLICY: Final = _any_of(
    r"content[ _-]?filter",
    r"content[ _]?(management[ _])?policy",
    r"content exists risk",
    r"responsible_?ai",
    r"data_?inspection_?failed",
    r"\b(SAFETY|PROHIBITED_CONTENT|BLOCKLIST|RECITATION|SPII)\b",
    r"\bflagged\b",
    r"\bmoderation\b",
    r"considered high risk",
    r"new_sensitive",
    r"(inappropriate|sensitive) (content|words?)",
    r"usage (policies|guidelines)",
    r"SAFETY_CHECK",
    r"敏感内容",
)
"""These captions, and no setting."""
TOO_LONG: Final = _any_of(
    r"(maximum )?context[ _](length|window|size)",
    r"too long",
    r"too many (input )?tokens",
    r"input (is )?too large",
    r"string_above_max_length",
    r"max_seq_len",
    r"exceeds? the (model'?s )?(maximum )?(number of )?(input )?tokens",
    r"reduce the length",
    r"request (body )?too large",
    r"must be reduced",
    r"(input_?|inputs`?|prompt) (tokens|token count|length|`?\+)",
    r"max_new_tokens",
    r"max_tokens must be at least \d+, got -",
    r"(maximum|max|model'?s|model|context) (prompt |model )?(length|limit)",
    r"range of input length",
    r"must have less than \d+ tokens",
    r"model token limit",
    r"超长",
)
LARGER_THAN_RATE: Final = _any_of(r"request too large", r"must be reduced")
"""More tokens than the account may ever use in a minute: no wait helps."""
NOT_GENERATED: Final = _any_of(
    r"json_validate_failed",
    r"failed to (generate|validate) json",
    r"generated json does not match",
)
"""The model was held to the schema and did not keep to it, for these captions."""
FORM: Final = _any_of(
    r"response_?format",
    r"(json|response)[_ ]?schema",
    r"structured[ _]outputs?",
    r"json_object",
    r"json mode",
    r"guided[ _](json|decoding|grammar)",
    r"\bgrammar\b",
    r"output_config",
    r"additionalProperties",
    r"\bschema\b",
    r"requested parameters",
)
PARAMETER: Final = _any_of(
    r"(?<![\w-])(temperature|seed|reasoning_effort|max_tokens|max_completion_tokens)(?![\w-])",
)
NOT_TAKEN: Final = _any_of(
    r"not support",
    r"un(supported|known|recogni[sz]ed|expected)",
    r"not (allowed|permitted|available)",
    r"\bextra\b",
    r"invalid",
    r"(must|should|cannot) be",
    r"deprecated",
    r"out of range",
    r"too large",
    r"(greater|less|larger|smaller|higher|lower) than",
    r"only the default",
    r"no longer",
    r"instead",
    r"no parameter",
    r"at (most|least)",
)
"""Said of a parameter."""
LONG_WINDOW: Final = _any_of(
    r"(per|/)[ _-]?(day|week|month)",
    r"\b(daily|weekly|monthly)\b",
    r"\b[RT]PD\b",
    r"limit: 0\b",
)
"""A limit that resets later than any run waits."""
SHORT_WINDOW: Final = _any_of(
    r"per[ _-]?(min|sec|hour)",
    r"\b[RT]P[MSH]\b",
    r"\bQPS\b",
    r"(retry|again|wait)[ _](in|after|shortly|later)",
    r"too many requests",
    r"temporar(y|ily)",
    r"slow down",
    r"throttl",
    r"concurren",
    r"rate[ _-]?limit",
    r"\bburst\b",
    r"e\.g\. check quota",  # Gemini says so of any limit
)
ANY_LIMIT: Final = _any_of(r"rate_limit(_error|_exceeded)?\b", r"\btoo_many_requests(_error)?\b")
"""Codes that some give to every 429, whatever its text says."""
THROTTLED: Final = _any_of(r"rate_limit_exceeded", r"^throttling|\bthrottling(exception)?\b")
NO_MONEY: Final = _any_of(r"insufficient_quota", r"billing_hard_limit")
"""Codes of an empty account, which no wait refills."""
CAUSES: Final[Mapping[Cause, re.Pattern[str]]] = {
    "key": _any_of(
        r"(invalid|incorrect|wrong|missing|expired|unknown|revoked|disabled|bad|no)"
        r"[ _-]?(auth\w*|x)?[ _-]?api[ _-]?key",
        r"api[ _-]?key[ _:']{0,3}((is|was|has|been|are|not)[ _])*"
        r"(valid|invalid|missing|expired|incorrect|disabled|revoked|required|found|leaked"
        r"|suspended|provided)",
        r"provide an? api[ _-]?key",
        r"invalid_authentication",
        r"authentication[ _]?(error|fails|failed)",
        r"un(authenticated|authori[sz]ed)",
        r"invalid (bearer|access|auth\w*|proxy server) ?(token|key|header|credentials)",
        r"(token|credentials?) (included in the request )?(is |are |has )?"
        r"(invalid|expired|not valid)",
        r"expired_?token",
        r"signature we calculated does not match",
        r"no auth credentials",
        r"account_deactivated",
        r"reported as leaked",
        r"multiple authentication credentials",
        r"no_db_connection",  # LiteLLM of any key but its own, where it keeps none
    ),
    "credit": _any_of(
        r"credit balance",
        r"insufficient[ _]?(account[ _]?)?(balance|credits?|funds?)",
        r"(balance|credits?) (is |are |was )?(too low|not enough|insufficient|exhausted|depleted)",
        r"not enough (credits?|balance|funds)",
        r"(out of|no more|more|add|used all|have any|no) credits",
        r"\bbilling",
        r"payment[ _]required",
        r"arrear",
        r"overdue",
        r"good standing",
        r"余额不足",
        r"欠费",
    ),
    "quota": _any_of(
        r"quota",
        r"budget[ _]?(has been )?exceeded",
        r"exceeded ?budget",
        r"crossed budget",
        r"usage[ _]limit",
        r"free tier",
        r"spend(ing)?[ _-]limit",
        r"exceeded your (current )?(limit|plan)",
        r"key limit exceeded",
        r"额度(已用尽|不足)",
    ),
    "model": _any_of(
        r"model_?not_?(found|exist|supported|available|open)",
        r"deployment_?not_?found",
        r"deployment for this resource does not exist",
        r"(invalid|unknown|unsupported|no such|unrecogni[sz]ed|missing)[ _]model",
        r"model_decommissioned",
        r"no endpoints found",
        r"(access|access to) (the )?model",
        r"no available channel",
        r"无可用渠道",
        r"\bmodels?\b[^.;]{0,120}?\b(not exist|not found|unknown|decommissioned|deprecated"
        r"|invalid|isn't available|not (a )?(valid|supported|available|loaded|deployed|served))",
        r"not a valid model",
        r"^\s*model: \S+$",
        r"on-demand throughput",
        r"only supported in v1/(?!chat/)",
    ),
    "access": _any_of(
        r"permission_?(denied|error)",
        r"unsupported_country",
        r"not available in your (country|region)",
        r"access[ _]?denied",
        r"not allowed to (access|use|sample)",
        r"forbidden",
        r"location is not supported",
        r"must be verified",
        r"(account|organi[sz]ation|project) (has been |is |was )?(restricted|suspended|deactivated"
        r"|disabled|banned)",
    ),
    "address": _any_of(
        r"unexpected endpoint",
        r"unknown (request )?url",
        r"invalid url",
        r"no route matched",
        r"api[ -]version not supported",
        r"endpoint is paused",
    ),
}
"""What each setting's refusal is called; the first that fits is taken."""
ADDRESS_NOT_ALLOWED: Final = _any_of(r"\bip[ _](address[ _])?(is[ _])?not[ _]authori[sz]ed")
"""Of a key that is right, from where it may not be used."""
UPSTREAM_DOWN: Final = _any_of(
    r"model is (temporarily |currently )?(down|unavailable|overloaded|at capacity|loading)"
)
"""Said with a fault: the model is known, and does not answer now."""
