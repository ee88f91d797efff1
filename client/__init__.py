"""The former name of `medvid`; only `client.api` is left, for one release."""
