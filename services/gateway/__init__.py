"""The only HTTP door: takes submissions, tells their state, serves the boards."""
