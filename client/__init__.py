"""The `medvid` command and the Python client."""
