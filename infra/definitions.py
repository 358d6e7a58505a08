"""Kinds outlive what installed them: whoever takes a kind away takes every object of it along."""

import pulumi

from components.custom_resource_definitions import MANIFEST_FILE
from components.helm_chart import RELEASE

DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
DEFINITION_CHARTS = ("-crd", "-crds")
"""Ends of the names of charts that hold nothing else. Charts that bring theirs beside a controller
are told to leave them (`components.helm_chart.KEEP`)."""


def definition_options(*, protect: bool) -> pulumi.ResourceOptions:
    """Options below which no kind can be deleted: tenants and other stacks have objects of it."""
    if not protect:
        return pulumi.ResourceOptions()

    def guard(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if not _defines(args):
            return None
        kept = pulumi.ResourceOptions(protect=True)
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, kept)
        )

    return pulumi.ResourceOptions(transformations=[guard])


def _defines(args: pulumi.ResourceTransformationArgs) -> bool:
    if args.type_ == RELEASE:
        return str(args.props["chart"]).endswith(DEFINITION_CHARTS)
    return args.type_ in (DEFINITION, MANIFEST_FILE)
