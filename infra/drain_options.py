"""Which resource has which drain before it: the hooks of a stack with a cluster of its own."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pulumi

from components.drain import TeardownConfig
from components.drain_hooks import HOOKS, Deletion, Teardown, in_thread, say
from components.drain_volumes import DRIVERS
from components.helm_chart import RELEASE

AUTO_MODE_NODE = "EC2"
"""Type of the access entry of Auto Mode's nodes; it outlives all pools."""
REGISTRATION_SECONDS = 0.2
"""A registration that came to its end has its URN at once."""
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
NAMESPACE = "kubernetes:core/v1:Namespace"
BY_CHART = {
    "aws-load-balancer-controller": ["drain-load-balancers"],
    "karpenter": ["drain-nodes"],
}


def hooks_of(kind: str, inputs: Mapping[str, Any]) -> list[str]:
    """Names of the drains before a resource of that type token goes; most have none.

    `inputs` as the SDK holds them: those of AWS in snake_case.
    """
    if kind == RELEASE:
        return BY_CHART.get(str(inputs.get("chart")).rpartition("/")[2], [])
    if kind == NAMESPACE:
        return ["drain-webhooks"]
    if kind == NODE_POOL:
        return ["drain-node-pool"]
    if kind == "aws:eks/addon:Addon" and inputs.get("addon_name") in DRIVERS:
        return ["drain-volumes"]
    # AWS runs Auto Mode's drivers, so what goes last of the cluster's objects stands for them.
    if kind == STORAGE_CLASS and inputs.get("provisioner") in DRIVERS:
        return ["drain-load-balancers", "drain-volumes"]
    if kind == "aws:eks/accessEntry:AccessEntry" and inputs.get("type") == AUTO_MODE_NODE:
        return ["drain-nodes"]
    return []


def drain_options(
    config: TeardownConfig, *, retain: bool, kubeconfig: pulumi.Input[str]
) -> pulumi.ResourceOptions:
    """Options whose resources, and all below them, go only after their drain.

    `retain`: data stays on AWS. All hooks are registered by every run: the state names them, also
    for what leaves the program.
    """
    hooks = _Hooks(config, kubeconfig, retain=retain)

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        names = hooks_of(args.type_, _plain(args.props))
        if not names:
            return None
        return pulumi.ResourceTransformationResult(args.props, hooks.bound(args, names))

    return pulumi.ResourceOptions(transformations=[transform])


class _Hooks:
    """The hooks of one run, and which resources they stand before."""

    def __init__(
        self, config: TeardownConfig, kubeconfig: pulumi.Input[str], *, retain: bool
    ) -> None:
        self._config = config
        self._retain = retain
        self._kubeconfig = pulumi.Output.from_input(kubeconfig)
        self._guarded: dict[tuple[str, str], pulumi.Resource] = {}
        self._made: set[str] = set()
        self._note = pulumi.ResourceHook("drain-note-creation", self._note_creation)
        self._by_name = {name: self._hook(name) for name in HOOKS}

    def bound(
        self, args: pulumi.ResourceTransformationArgs, names: list[str]
    ) -> pulumi.ResourceOptions:
        """The resource's options with these hooks before its deletion."""
        self._guarded[args.type_, args.name] = args.resource
        binding = pulumi.ResourceHookBinding(
            before_create=[self._note], before_delete=[self._by_name[name] for name in names]
        )
        more = pulumi.ResourceOptions(hooks=binding)
        if args.type_ == NODE_POOL:
            # Its nodes go with it, and Pulumi would give up after ten minutes.
            minutes = self._config.node_minutes
            more.custom_timeouts = pulumi.CustomTimeouts(delete=f"{minutes}m")
        return pulumi.ResourceOptions.merge(args.opts, more)

    def _note_creation(self, args: pulumi.ResourceHookArgs) -> None:
        self._made.add(args.urn)

    def _hook(self, name: str) -> pulumi.ResourceHook:
        async def before_delete(args: pulumi.ResourceHookArgs) -> None:
            going = Deletion(args.name, args.type, args.old_inputs or {})
            tell = say(going)
            if await self._is_replaced(args):
                tell("it is replaced, so nothing is drained")
            elif not self._config.drain:
                tell("nothing is drained, as teardown.drain is false")
            else:
                kubeconfig = await self._kubeconfig.future()
                if kubeconfig is None:
                    raise ValueError("the cluster's kubeconfig is not known: the cluster is new")
                teardown = Teardown(self._config, self._retain, tell)
                await in_thread(name, teardown, kubeconfig, going)

        return pulumi.ResourceHook(name, before_delete)

    async def _is_replaced(self, args: pulumi.ResourceHookArgs) -> bool:
        """Whether this run makes the resource anew: it has, or its registration is under way.

        The engine tells a hook neither of it nor whether the whole stack goes.
        """
        if args.urn in self._made:
            return True
        resource = self._guarded.get((args.type, args.name))
        if resource is None:
            return False
        # Not cancelled: that would take the URN from all others who wait for it.
        known = asyncio.ensure_future(resource.urn.future())
        done, _ = await asyncio.wait({known}, timeout=REGISTRATION_SECONDS)
        return not done


def _plain(inputs: pulumi.Inputs) -> dict[str, Any]:
    """The inputs that the program knows by itself."""
    return {key: value for key, value in inputs.items() if isinstance(value, str)}
