"""The typed client of the leaderboard's HTTP API; imports nothing of the server.

    from medvid import Client

    with Client("https://leaderboard.example.org") as client:
        receipt = client.submit("predictions.json.gz", model_name="M", organization="Lab")
        print(client.wait(receipt).entry)

`AsyncClient` has the same methods as coroutines.
"""

from medvid.api.answers import Problem
from medvid.api.board_answers import Leaderboard, LeaderboardEntry, LeaderboardIndex
from medvid.api.clients import DEFAULT_URL, AsyncClient, Client
from medvid.api.errors import (
    BadCredential,
    Conflict,
    Invalid,
    LeaderboardError,
    LimitReached,
    NotAuthorized,
    NotFound,
    Refused,
    ServerFailed,
    Unintelligible,
    Unreachable,
)
from medvid.api.judging_answers import JudgingReceipt, Verdict
from medvid.api.key_answers import Key, KeyQuotas, NewKey, QuotaStatus
from medvid.api.report_answers import DryRun, ValidationReport
from medvid.api.retries import Retries
from medvid.api.submission_answers import Event, Receipt, SubmissionStatus
from medvid.api.test_sets import TestSetFile
from medvid.api.transport import Timeouts

__all__ = [
    "DEFAULT_URL",
    "AsyncClient",
    "BadCredential",
    "Client",
    "Conflict",
    "DryRun",
    "Event",
    "Invalid",
    "JudgingReceipt",
    "Key",
    "KeyQuotas",
    "Leaderboard",
    "LeaderboardEntry",
    "LeaderboardError",
    "LeaderboardIndex",
    "LimitReached",
    "NewKey",
    "NotAuthorized",
    "NotFound",
    "Problem",
    "QuotaStatus",
    "Receipt",
    "Refused",
    "Retries",
    "ServerFailed",
    "SubmissionStatus",
    "TestSetFile",
    "Timeouts",
    "Unintelligible",
    "Unreachable",
    "ValidationReport",
    "Verdict",
]
