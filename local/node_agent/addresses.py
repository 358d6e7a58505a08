"""Pod IPs: loopback addresses out of the Pod CIDR, each held by one Pod at a time."""

import ipaddress


class NoAddressLeft(Exception):  # noqa: N818 - a full CIDR is a state
    """Every address of the Pod CIDR is in use."""


class Addresses:
    """Hands out addresses in turn, so that one just given back is not used again at once."""

    def __init__(self, cidr: str) -> None:
        """Raises ValueError for what is no IPv4 network or lies outside 127.0.0.0/8."""
        self._network = ipaddress.IPv4Network(cidr)
        if not self._network.is_loopback:
            raise ValueError(f"{cidr} is not inside 127.0.0.0/8, so Pods could not listen there")
        self._held: dict[str, str] = {}
        self._next = 1

    def claim(self, uid: str, wanted: str = "") -> str:
        """The Pod's address: the one it holds, else `wanted` when free, else the next free one."""
        for address, holder in self._held.items():
            if holder == uid:
                return address
        if wanted and wanted not in self._held and self._contains(wanted):
            self._held[wanted] = uid
            return wanted
        size = self._network.num_addresses
        for _ in range(size):
            self._next = self._next + 1 if self._next + 2 < size else 2
            address = str(self._network[self._next])
            if address not in self._held:
                self._held[address] = uid
                return address
        raise NoAddressLeft(f"no free Pod address in {self._network}")

    def release(self, uid: str) -> None:
        self._held = {a: holder for a, holder in self._held.items() if holder != uid}

    def _contains(self, address: str) -> bool:
        try:
            return ipaddress.IPv4Address(address) in self._network
        except ValueError:
            return False
