"""Uncertainty of values and of the order of a board, by resampling whole videos (SPEC 6 and 7).

Pure. Arrays of replicates are float64, one number a replicate (1,000), NaN where it is undefined.

- `bootstrap`: `resample` draws the videos, once for each ground truth version; `estimates` makes
  replicates of a file's metrics from their `Contributions`, over all and by source, with the number
  of videos that each value rests on.
- `intervals`: `interval` makes what may leave the server of an `Estimate`.
- `ranks`: `rank_statistics` takes the rows that `ranking.rank` gave, and replicates by row.
- `comparisons`: `compare` two entries' scores, `in_words`, `minimum_detectable` of a board.
- `second_opinions`: what other rules say of a board's ranked rows.
"""
