"""Options for the children of a component."""

import pulumi


def child_options(
    parent: pulumi.ComponentResource, opts: pulumi.ResourceOptions | None
) -> pulumi.ResourceOptions:
    """Children wait for what their component was told to wait for.

    Pulumi hands a component's providers down to its children, but not its `depends_on`.
    """
    return pulumi.ResourceOptions(parent=parent, depends_on=opts.depends_on if opts else None)
