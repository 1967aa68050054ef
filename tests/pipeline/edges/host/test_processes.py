"""What is known of a process of this host."""

from __future__ import annotations

import os
import time

from pipeline.edges.host import processes


def test_a_process_of_this_host_that_ended_is_known_to_be_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    time.sleep(0.2)  # ended and not yet collected
    assert processes.is_gone(processes.this_host(), pid)
    os.waitpid(pid, 0)
    assert processes.is_gone(processes.this_host(), pid)
    assert not processes.is_gone(processes.this_host(), os.getpid())
    assert not processes.is_gone("another host", pid)
    assert processes.born(pid) is None
    assert not processes.stands_still(pid, None)
