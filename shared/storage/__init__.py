"""Postgres: pool, transactions, named queries, migrations, the embedded server."""
