"""Predictions of a vision model for a test set: frames, prompts, calls, records, manifest.

The reference inference pipeline against any OpenAI-compatible endpoint. The extra `predict` brings
Pillow and the `openai` client; both are imported at their first use.
"""
