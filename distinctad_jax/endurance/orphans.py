"""Processes that die with the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys


def die_with(parent: int) -> bool:
    """From now on SIGKILL ends this process when `parent` ends, however it does; False if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    return os.getppid() == parent


class DiesWithParent:
    """To be called first in a worker process; made in the process that starts it, and sent over."""

    def __init__(self):
        self.parent = os.getpid()

    def __call__(self, index: int, count: int) -> None:
        if not die_with(self.parent):
            os._exit(0)
