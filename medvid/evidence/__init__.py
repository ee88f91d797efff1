"""Evidence of a board: what lets a stranger recompute it, and find the first thing that is wrong.

Pure. `docs/evidence.md` describes the files.

- `canonical`: JSON of which there is one spelling, and reading it without trust.
- `links`: the chain of hashes over all documents of a board.
- `signatures`: Ed25519 over links; the one module that imports `cryptography`.
- `frames`: several small files in one, of which there is one spelling, too.
- `archive`: what the files of an archive are, made by the server and read by `medvid verify`.
- `rows`, `verify`: recomputing a board from its archive.
- `sealed`, `verify_sealed`: the same of the part that only auditors get.
"""
