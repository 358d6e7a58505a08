"""Kubernetes quantities (`500m`, `1Gi`, `2e3`) and what the downward API makes of them."""

import re
from decimal import ROUND_CEILING, Decimal

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([KMGTPE]i|[numkMGTPE]?))")


def parse(quantity: str | int | float) -> Decimal:
    """The exact value; raises ValueError naming a text that is no quantity."""
    found = _QUANTITY.fullmatch(str(quantity))
    if not found:
        raise ValueError(f"{quantity!r} is not a Kubernetes quantity (such as 500m, 2 or 1Gi)")
    number, exponent, suffix = found.groups()
    if exponent:
        return Decimal(number + exponent)
    if suffix in _BINARY:
        return Decimal(number) * Decimal(1024) ** _BINARY[suffix]
    return Decimal(number) * Decimal(10) ** _DECIMAL[suffix]


def divided(quantity: str | int | float, divisor: str | int | float | None) -> str:
    """`quantity` in units of `divisor`, rounded up, as `resourceFieldRef` renders it."""
    unit = parse(divisor or 1) or Decimal(1)
    return str((parse(quantity) / unit).to_integral_value(rounding=ROUND_CEILING))
