"""Calls of administrators: `client.admin`. Each action needs a reason, `why`, for the audit log.

An action that is sent twice changes nothing the second time, so all of them may be sent again.
"""

from medvid.api.administration.boards import BoardMethods
from medvid.api.administration.entries import EntryMethods
from medvid.api.administration.ground_truths import GroundTruthMethods
from medvid.api.administration.jobs import JobMethods
from medvid.api.administration.judging import JudgingMethods
from medvid.api.administration.notes import NoteMethods
from medvid.api.administration.operations import OperationMethods
from medvid.api.methods import AsyncCalls, SyncCalls


class AdminMethods(
    EntryMethods, BoardMethods, JobMethods, JudgingMethods, NoteMethods, OperationMethods,
    GroundTruthMethods,
):  # fmt: skip
    """Every administrator's call, in the form of the client that has it."""


class Administration(AdminMethods, SyncCalls):
    """What administrators can do, as plain functions."""


class AsyncAdministration(AdminMethods, AsyncCalls):
    """What administrators can do, as coroutines."""
