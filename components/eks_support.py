"""How long AWS supports a Kubernetes version on EKS, and what it does when that ends.

Dates: the release calendar of the EKS user guide (awsdocs/amazon-eks-user-guide,
latest/ug/versioning/kubernetes-versions.adoc, for 1.33 and 1.34 at 0138560; for 1.35
https://endoflife.date/amazon-eks of 2026-02 and docs.aws.amazon.com/eks/latest/userguide/
kubernetes-versions.html). A day begins and ends in UTC.
"""

from datetime import date
from typing import Final, Literal, NamedTuple

SupportPolicy = Literal["STANDARD", "EXTENDED"]
WARNING_DAYS: Final = 90
"""A quarter: what moving production by one minor version takes where changes are planned."""


class SupportWindow(NamedTuple):
    """The first days without standard and without extended support."""

    standard_ends: date
    extended_ends: date


SUPPORT_WINDOWS: Final[dict[str, SupportWindow]] = {
    "1.33": SupportWindow(date(2026, 7, 29), date(2027, 7, 29)),
    "1.34": SupportWindow(date(2026, 12, 2), date(2027, 12, 2)),
    "1.35": SupportWindow(date(2027, 3, 27), date(2028, 3, 27)),
}


def support_finding(version: str, policy: SupportPolicy, *, today: date) -> str | None:
    """One line when a support ends within `WARNING_DAYS` or has ended; None for nothing to say.

    In extended support that was asked for, only its end is told: its price is the stack's choice.
    """
    window = SUPPORT_WINDOWS[version]
    got = f"cluster.eks.version: got '{version}', "
    to = f"move to {_later(version, today)}"
    if today >= window.extended_ends:
        return (
            f"{got}whose extended support ended on {window.extended_ends}; AWS upgrades the "
            f"control plane by itself at any time, but no nodes, add-ons or charts; {to}"
        )
    if policy == "STANDARD" and _near(window.standard_ends, today):
        return (
            f"{got}whose standard support {_when(window.standard_ends, today)}; with support: "
            "STANDARD AWS then upgrades the control plane by itself, but no nodes, add-ons or "
            f"charts; {to}, or set support: EXTENDED (until {window.extended_ends}, six times "
            "the price of the control plane)"
        )
    if policy == "EXTENDED" and _near(window.extended_ends, today):
        return (
            f"{got}whose extended support {_when(window.extended_ends, today)}; AWS then upgrades "
            f"the control plane by itself, but no nodes, add-ons or charts; {to}"
        )
    if policy == "EXTENDED" and today < window.standard_ends and _near(window.standard_ends, today):
        return (
            f"{got}whose standard support {_when(window.standard_ends, today)}; with support: "
            f"EXTENDED it stays and the control plane costs six times as much from then on; {to}"
        )
    return None


def _near(end: date, today: date) -> bool:
    return (end - today).days < WARNING_DAYS


def _when(end: date, today: date) -> str:
    days = (end - today).days
    if days <= 0:
        return f"ended on {end}"
    return f"ends on {end}, in {days} day{'s' if days > 1 else ''}"


def _later(version: str, today: date) -> str:
    """The versions that a cluster of `version` may move to and that have standard support."""
    supported = [
        f"'{each}'"
        for each, window in SUPPORT_WINDOWS.items()
        if _minor(each) > _minor(version) and today < window.standard_ends
    ]
    return " or ".join(supported) or "a later version (add it to components/eks_support.py)"


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
