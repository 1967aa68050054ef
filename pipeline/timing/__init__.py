"""When it was recorded: reading what sources claim and deciding between them. Pure, but for the rules' files.

texts (times as files write them) -> names, claiming (claims of sources) -> evidence, faults (how claims bear on one
another) -> deciding (the one time, and why the others lost) -> caveats (what a reviewer is told).
"""
