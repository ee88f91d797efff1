"""Reward functions for reinforcement learning, from the code of the metrics.

What is optimised is what is measured: a rule reward is the metric of a test set that holds the one
sample. `medvid/rewards/verl.py` and `medvid/rewards/easyr1.py` have the interfaces of the two
trainers, which load them by file path and function name.
"""
