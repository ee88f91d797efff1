"""Prediction text to structures, one module a task (SPEC 2).

Every parser is a pure function of one string, total (it never raises) and linear in the text's
length. Linearity is a property of how the patterns are built, see `numbers`.
"""
