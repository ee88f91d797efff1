"""Making a submission out of what inference wrote, in whatever layout it did.

`files` reads raw records, `fields` finds each one's text and what names its sample, `places` asks
the test set, and `convert` puts them together. Nothing here prints.
"""
