"""One file a metric; `components` is the arithmetic that CVS and SA share."""
