"""What a stack should know of AWS's support for its cluster before it is touched."""

from datetime import date

import pulumi

from components.eks_support import support_finding
from infra.config import FoundationSection, StackConfig


def warn_of_support(config: StackConfig, *, today: date) -> None:
    """A warning of the engine when the version's support ends soon; nothing is refused by date.

    A refusal would also keep people from the preview or the destroy that they need by then.
    """
    if not isinstance(config, FoundationSection) or config.cluster.eks is None:
        return
    eks = config.cluster.eks
    finding = support_finding(eks.version, eks.support, today=today)
    if finding:
        pulumi.log.warn(finding)
