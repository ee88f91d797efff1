"""The typed client under its former name: use `from medvid import Client`."""

import warnings

from medvid.api import *  # noqa: F403 - all of it, under the name it had

warnings.warn(
    "client.api is medvid.api now: write 'from medvid import Client'. The old name goes with the"
    " next release.",
    DeprecationWarning,
    stacklevel=2,
)
