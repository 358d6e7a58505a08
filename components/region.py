"""What follows from the name of an AWS region."""

REGION_PATTERN = r"^[a-z]{2}(-[a-z]+)+-\d$"


def partition_of(region: str) -> str:
    """The ARN partition of a region (`aws`, `aws-cn`, `aws-us-gov`)."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def dns_suffix_of(region: str) -> str:
    """What AWS's host names in a region end with."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
