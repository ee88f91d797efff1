"""What the gateway decides without asking anyone: forms, credentials, board views."""
