"""The `medvid` command: one function a command."""
