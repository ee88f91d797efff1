"""The ranking rule and the rows of a board, pure."""
