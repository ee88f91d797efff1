"""Runs the gateway as a process of its own."""

from __future__ import annotations

import sys

from services.gateway.app import run
from services.gateway.settings import GatewaySettings
from shared.runtime.lifecycle import run_service

if __name__ == "__main__":
    sys.exit(run_service("gateway", GatewaySettings, run))
