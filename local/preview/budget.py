"""How many resources a stack may have: what its preview and each `pulumi up` have to look at."""

from typing import NamedTuple

import yaml

from local.engine.stack_files import KEY


class Budget(NamedTuple):
    """The most that a stack of one kind should have."""

    kind: str
    most: int
    way_out: str

    def line(self, count: int) -> str:
        """How a stack stands to it, for people."""
        said = f"{count} resources, of at most {self.most} for {self.kind}"
        return said if count <= self.most else f"{said}: OVER; {self.way_out}"


WHOLE = Budget("a whole platform", 500, "make it a foundation and a platform (docs/stacks.md)")
FOUNDATION = Budget("a foundation", 250, "give what has no cluster a stack of its own")
PLATFORM = Budget("a platform on a foundation", 350, "give tenants stacks of their own")
TENANT = Budget("a tenant", 40, "give agents a stack of their own")


def budget_of(text: str) -> Budget:
    """By the kind of the stack file's data, which the keys tell; a broken file counts as whole."""
    try:
        data = yaml.safe_load(text)["config"][KEY]
        if "tenant" in data:
            return TENANT
        if "layer" in data:
            return FOUNDATION
        return PLATFORM if data["cluster"].get("stack") else WHOLE
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return WHOLE
