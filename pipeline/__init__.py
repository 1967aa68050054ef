"""What happens to one file, and what we know of it.

    a path in a watched folder
        |  custody/settle.py      quiet for long enough?            (pure)
        v
    custody/accession.py          copy, digest, read back, rename, log line, one transaction, receipt
        |
        v                         light lane: seconds
    stages/probe.py        ->  properties      (extractors/: one file a way of reading)
    stages/timestamps.py   ->  time claims     (time_sources/), one decided time and why
    stages/link.py         ->  case links      (linkers/)
    stages/index.py        ->  findable
        |
        v                         heavy lane: minutes
    stages/derive.py       ->  derivatives     (derivers/)
    stages/fingerprint.py  ->  fingerprints    (fingerprinters/)
    stages/index.py        ->  findable again, with all of it

`advance.py` runs one stage for one original and records its facts, its event and the next job in one
transaction. `edges/` is where the world is touched: vault, catalog, audit log, jobs, media tools.
"""
