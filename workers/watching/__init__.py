"""What watching folders is made of.

ears.py      file events of one tree: our own inotify reader on Linux, watchdog elsewhere; a hint and no more
mounts.py    where a folder lies; whether mounts changed or the machine slept
looking.py   one look at one path, and the walk over a tree
root.py      one watched tree in a thread of its own: scan, look, take in
../watch.py  keeps the trees going and tells how they stand
"""
