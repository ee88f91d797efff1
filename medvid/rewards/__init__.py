"""Reward functions for reinforcement learning, from the code of the metrics."""
