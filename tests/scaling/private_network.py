"""A network of its own for the calling thread, in which only loopback exists.

Karpenter and KEDA's adapter listen on all addresses and can't be told otherwise: in here that is
loopback alone, and no port of the machine can clash.
"""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
IFF_UP = 1
WAY_OUT = "needs root, or a user namespace as `make test-scaling` makes one"
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def private_network() -> Iterator[None]:
    """Threads and processes started inside are in the new network too.

    Raises PermissionError, with the way out, where this process may not make one.
    """
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _LIBC.unshare(CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise PermissionError(error, f"no private network ({os.strerror(error)}): {WAY_OUT}")
        try:
            _start_loopback()
            yield
        finally:
            if _LIBC.setns(before, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "can't return to the machine's network")
    finally:
        os.close(before)


def _start_loopback() -> None:
    """The kernel gives 127.0.0.0/8 to the interface when it comes up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack("16xH14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
