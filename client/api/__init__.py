"""The typed client of the leaderboard's HTTP API; imports nothing of the server.

    from client.api import Client

    with Client("https://leaderboard.example.org") as client:
        receipt = client.submit("predictions.json.gz", model_name="M", organization="Lab")
        print(client.wait(receipt).entry)

`AsyncClient` has the same methods as coroutines.
"""

from client.api.answers import Problem
from client.api.board_answers import Leaderboard, LeaderboardEntry, LeaderboardIndex
from client.api.clients import DEFAULT_URL, AsyncClient, Client
from client.api.errors import (
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
from client.api.judging_answers import JudgingReceipt, Verdict
from client.api.key_answers import Key, KeyQuotas, NewKey, QuotaStatus
from client.api.report_answers import DryRun, ValidationReport
from client.api.retries import Retries
from client.api.submission_answers import Event, Receipt, SubmissionStatus
from client.api.transport import Timeouts

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
    "Timeouts",
    "Unintelligible",
    "Unreachable",
    "ValidationReport",
    "Verdict",
]
