"""Uncertainty of values and of the order of a board, by resampling whole videos (SPEC 6 and 7).

`bootstrap` makes replicates of a metric's values, `intervals` their standard errors and
intervals, `ranks` rank intervals of a board, `comparisons` differences of two entries, and
`second_opinions` what other rules say of the order. Pure; arrays of replicates are float64, one
number a replicate, NaN where it is undefined.
"""
