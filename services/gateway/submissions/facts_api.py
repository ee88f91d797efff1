"""The operation by which owners change what is stated of their model."""

from __future__ import annotations

from typing import Final

from medvid.models.facts import FactsAnswer, FactsChange
from services.gateway.accounts.rules import Caller
from services.gateway.submissions.access import SubmissionId
from services.gateway.submissions.facts import OwnFacts
from services.gateway.web.endpoints import OWNERS
from services.gateway.web.router import Router

router: Final = Router("submissions")


async def _admit(facts: OwnFacts, id: SubmissionId, caller: Caller) -> None:
    await facts.access.check(id, caller)


@router.patch(
    "/submissions/{id}/facts",
    reply="The facts as they are now.",
    access=OWNERS,
    problems=("submission_not_found", "not_the_owner", "entry_removed", "fact_held", "facts_quota"),
    admit=_admit,
)
async def change_facts(
    facts: OwnFacts, id: SubmissionId, caller: Caller, body: FactsChange
) -> FactsAnswer:
    """Change a model's facts.

    What is left out stays, null makes a fact unknown again. What an administrator set is held
    (`facts_held` of the submission) until an administrator releases it. Every change is public in
    the entry's `fact_changes`, and boards that show the model are ranked anew, with the same ranks.
    At most 20 changes in 24 hours.
    """
    return await facts.change(id, caller, body)
