"""In which form an endpoint replies: by a schema, or in lines where it takes none.

Found by the first calls. A schema is tried first; an endpoint that refuses it in its own words, or
refuses without a reason, is asked for lines, and a verdict that is read then decides. Where faults
were the reason, which may pass, it takes two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, Self

from medvid.judging.calls import CallFailed
from medvid.judging.prompt import Form

ReplyForm = Literal["schema", "lines"]
"""How a form is called in settings, in the database and to users."""
FormSetting = Literal["auto", "schema", "lines"]
_FAULTS: Final = 2
"""After this many 500s in a row the schema may be the cause."""
_PROOFS: Final = 2


def named(form: Form) -> ReplyForm:
    """Return what a form is called."""
    return "schema" if form is Form.JSON else "lines"


def form_named(name: ReplyForm) -> Form:
    """Return the form that is called so."""
    return Form.JSON if name == "schema" else Form.LINES


@dataclass(slots=True)
class FormChoice:
    """The form of one endpoint and model; None while it is not known. `is_fixed`: it is set."""

    form: Form | None = None
    is_fixed: bool = False
    _faults: int = field(default=0, init=False)
    _after_faults: int = field(default=0, init=False)
    """Verdicts in lines, in a row, of pairs that a schema got nothing but faults for."""

    @property
    def next(self) -> Form:
        """Return the form to ask in."""
        return self.form or Form.JSON

    @classmethod
    def of(cls, setting: FormSetting) -> Self:
        """Return the choice that is set."""
        return cls() if setting == "auto" else cls(form_named(setting), is_fixed=True)

    def tries_lines(self, failure: CallFailed, form: Form) -> bool:
        """Tell whether to ask the same for lines, after a call in `form` failed so."""
        if self.is_fixed or form is Form.LINES:
            return False
        if failure.kind == "no_schema":
            return True
        if self.form is not None or not failure.may_be_form:
            return False
        if failure.kind == "failing":
            self._faults += 1
            return self._faults >= _FAULTS
        return True

    def worked(self, form: Form) -> bool:
        """Note a verdict that was read in this form; tell whether it decides anew."""
        if form is Form.LINES and self._faults:
            self._after_faults += 1
        else:
            self._after_faults = 0
        self._faults = 0
        if self.is_fixed or form is self.form or 0 < self._after_faults < _PROOFS:
            return False
        self.form = form
        return True
