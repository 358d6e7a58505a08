"""Options for the children of a component."""

import pulumi


def child_options(
    parent: pulumi.ComponentResource, opts: pulumi.ResourceOptions | None
) -> pulumi.ResourceOptions:
    """Children wait for what their component was told to wait for.

    Pulumi hands a component's providers down to its children, but not its `depends_on`.
    """
    return pulumi.ResourceOptions(parent=parent, depends_on=opts.depends_on if opts else None)


def without_waits(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """Options for a component some of whose children need not wait: the engine takes what a parent
    waits for as theirs, too. The others get `child_options`."""
    own = pulumi.ResourceOptions.merge(None, opts)
    own.depends_on = None
    return own
