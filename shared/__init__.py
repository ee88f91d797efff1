"""What every service shares: the benchmark, message contracts, bus, storage, runtime."""
