"""All rules, in the order of the table in docs/policies.md."""

from . import cluster, doors, ground, iam, images, object_storage, pods, stack
from .rule import Rule

AREAS: dict[str, tuple[Rule, ...]] = {
    "IAM": iam.RULES,
    "S3": object_storage.RULES,
    "KMS and EKS": cluster.RULES,
    "Networks, disks, registries, tags": ground.RULES,
    "Images and charts": images.RULES,
    "Pods": pods.RULES,
    "Doors and Secrets": doors.RULES,
    "Stacks": stack.RULES,
}
RULES: tuple[Rule, ...] = tuple(rule for rules in AREAS.values() for rule in rules)
