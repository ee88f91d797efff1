"""What a service needs to run: settings, logs, lifecycle, health, metrics, errors, workers."""
