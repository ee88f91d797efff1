"""The typed client of the leaderboard's HTTP API; imports nothing of the server.

    from medvid import Client

    with Client("https://leaderboard.example.org") as client:
        receipt = client.submit("predictions.json.gz", model_name="M", organization="Lab")
        print(client.wait(receipt).entry)

`AsyncClient` has the same methods as coroutines.
"""

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
from medvid.api.retries import Retries
from medvid.api.submissions import Event, SubmissionStatus
from medvid.api.test_sets import TestSetFile
from medvid.api.transport import Timeouts
from medvid.models.accounts import Key, NewKey, QuotaStatus
from medvid.models.accounts import QuotaFields as KeyQuotas
from medvid.models.boards import Leaderboard, LeaderboardEntry, LeaderboardIndex
from medvid.models.judging import JudgingReceipt, Verdict
from medvid.models.problems import ProblemItem as Problem
from medvid.models.reports import DryRunAnswer as DryRun
from medvid.models.reports import ValidationReport
from medvid.models.submissions import SubmissionReceipt as Receipt

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
