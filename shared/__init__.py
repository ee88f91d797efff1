"""What every service shares: the benchmark's own domain, message contracts, bus, storage, runtime."""
