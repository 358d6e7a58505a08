"""Addresses that EndpointSlices may hold: the API server refuses 127.0.0.0/8 there.

They exist in a private network alone (`tests.scaling.private_network`), on its loopback interface.
"""

import fcntl
import itertools
import socket
import struct
from collections.abc import Iterator

SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C
NETWORK = "192.0.2"
"""RFC 5737: for documentation, so nobody's."""


def addresses() -> Iterator[str]:
    """Give the calling thread's loopback interface the whole network; yields one address a time.

    Raises PermissionError outside of a network of one's own.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command, text in (
            (SIOCSIFADDR, f"{NETWORK}.1"),
            (SIOCSIFNETMASK, "255.255.255.0"),
        ):
            place = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))
            fcntl.ioctl(control, command, struct.pack("16s16s8x", b"lo:1", place))
    return (f"{NETWORK}.{number}" for number in itertools.count(1))
