"""Operator's tools that open the database; reached through `medvid admin`."""
