"""One answer of AWS, as a line for a person and a record for a machine."""

from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed", "unknown"]


@dataclass(frozen=True)
class Finding:
    """`failed` is what `up` would fail on; `unknown` is what AWS did not let us ask."""

    check: str
    subject: str
    status: Status
    value: str
    """What is there."""
    allowed: str = ""
    """What the stack needs or AWS allows."""
    way_out: str = ""

    def record(self) -> dict[str, str]:
        """With the names of the table's columns."""
        found: dict[str, str] = asdict(self)
        return found


def quota_link(service: str, code: str, region: str) -> str:
    """Where a raise of that quota is asked for."""
    return (
        f"https://{region}.console.aws.amazon.com/servicequotas/home/services/{service}"
        f"/quotas/{code}"
    )
