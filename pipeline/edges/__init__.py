"""Where the world is touched. Each part of it has one door, and what stands behind the door has a room.

vault.py     originals and what is made of them     storage/      OCFL objects, staging, uploads, packages, copies
catalog.py   what is known of every original        database/     tables and engines, one file a noun; migrations/
audit.py     who did what, chained                  log/          keys, signed heads, the tree, second parties
jobs.py      durable work                           work/         the queue, who lives, the work as a whole
tools.py     media programs and readers             confinement/  the cage;  caged/  what runs in it
provider.py  the bureau's sign-in service
failpoint.py where tests end the process            host/         disk, handles, clocks and processes of the machine
"""
