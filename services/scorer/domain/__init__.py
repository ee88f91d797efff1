"""Pure scoring: same input, same answer."""
