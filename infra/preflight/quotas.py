"""Whether vCPU quotas let the stack's pools and model servers have their nodes."""

from collections.abc import Iterator, Mapping
from typing import Any

from inference.instances import InstanceFacts, instance_table
from infra.aws_session import AwsSession, code_of
from infra.preflight.finding import Finding, quota_link
from infra.preflight.need import Facts, model_pods, most_vcpus, offers_of
from infra.preflight.vcpu_quotas import NAMES, Offer, nodes_for, quota_code
from infra.stack_file import Stack

CHECK = "vCPU quota"
CLUSTER_TAG = "kubernetes.io/cluster/"
RUNNING = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]


def quota_value(aws: AwsSession, service: str, code: str) -> float:
    """The account's own value, else AWS's default; raises what the client raises."""
    client = aws.client("service-quotas")
    asked = {"ServiceCode": service, "QuotaCode": code}
    try:
        found = client.get_service_quota(**asked)
    except client.exceptions.NoSuchResourceException:
        found = client.get_aws_default_service_quota(**asked)
    return float(found["Quota"]["Value"])


def known_types(aws: AwsSession, stack: Stack) -> Facts:
    """Facts of every type that the stack names; AWS is asked for those that our table lacks."""
    known = dict(instance_table().types)
    named = {it for pool in stack.pools.values() for it in pool.instance_types}
    if stack.eks and stack.eks.system_nodes:
        named |= {*stack.eks.system_nodes.instance_types}
    lacking = sorted(named - known.keys())
    if lacking:
        known |= {it["InstanceType"]: _facts(it) for it in _described(aws, lacking)}
    return known


def _described(aws: AwsSession, names: list[str]) -> list[dict[str, Any]]:
    """Of a list with one unknown name AWS describes nothing, so a name that fails stays alone."""
    client = aws.client("ec2")
    found: list[dict[str, Any]] = []
    for name in names:
        try:
            found += client.describe_instance_types(InstanceTypes=[name])["InstanceTypes"]
        except client.exceptions.ClientError as error:
            if code_of(error) != "InvalidInstanceType":
                raise
    return found


def _facts(described: Mapping[str, Any]) -> InstanceFacts:
    gpus = described.get("GpuInfo", {}).get("Gpus", [])
    architectures = described.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    return InstanceFacts(
        vcpu=described["VCpuInfo"]["DefaultVCpus"],
        memory_mib=described["MemoryInfo"]["SizeInMiB"],
        architecture="arm64" if "arm64" in architectures else "amd64",
        gpus=sum(it["Count"] for it in gpus),
        usd_per_hour=None,
        zones={},
    )


def used_by_others(aws: AwsSession, stack: Stack, facts: Facts) -> dict[str, int]:
    """vCPUs by quota of what runs in the region outside of the stack's own cluster."""
    used: dict[str, int] = {}
    pages = aws.client("ec2").get_paginator("describe_instances").paginate(Filters=RUNNING)
    for page in pages:
        for reservation in page["Reservations"]:
            for it in reservation["Instances"]:
                tags = {tag["Key"] for tag in it.get("Tags", [])}
                if f"{CLUSTER_TAG}{stack.cluster_name}" in tags:
                    continue
                purchase = it.get("InstanceLifecycle")
                code = quota_code(it["InstanceType"], "spot" if purchase == "spot" else "on-demand")
                if code:
                    used[code] = used.get(code, 0) + _vcpus(it, facts)
    return used


def _vcpus(instance: Mapping[str, Any], facts: Facts) -> int:
    options = instance.get("CpuOptions") or {}
    cores: int = options.get("CoreCount") or 0
    threads: int = options.get("ThreadsPerCore") or 0
    known = facts.get(instance["InstanceType"])
    return cores * threads or (known.vcpu if known else 0)


def vcpu_quotas(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """A line for each quota, for the system nodes, and for the model servers of each pool."""
    facts = known_types(aws, stack)
    most: dict[str, dict[str, int]] = {}
    for name, pool in stack.pools.items():
        for code, vcpus in most_vcpus(pool, facts).items():
            most.setdefault(code, {})[name] = vcpus
    system = _system_offer(stack, facts)
    codes = {*most, *([system.code] if system else [])}
    used = used_by_others(aws, stack, facts) if codes else {}
    values = {code: int(quota_value(aws, "ec2", code)) for code in sorted(codes)}
    left = {code: value - used.get(code, 0) for code, value in values.items()}
    for code in sorted(most):
        yield _of_quota(code, values[code], left[code], most[code], aws.region)
    if stack.eks and stack.eks.system_nodes and system:
        yield _of_system_nodes(stack.eks.system_nodes.min_size, system, left, aws.region)
    yield from _of_models(stack, facts, left, aws.region)


def _of_quota(code: str, value: int, left: int, most: dict[str, int], region: str) -> Finding:
    wanted = ", ".join(f"{name} up to {vcpus}" for name, vcpus in most.items())
    enough = left >= sum(most.values())
    return Finding(
        CHECK,
        f"{code} {NAMES[code]}",
        "ok" if enough else "warning",
        f"{value} vCPU, {left} left",
        f"pools may buy {wanted}",
        ""
        if enough
        else f"pools stop below their limits; raise it: {quota_link('ec2', code, region)}",
    )


def _system_offer(stack: Stack, facts: Facts) -> Offer | None:
    nodes = stack.eks.system_nodes if stack.eks else None
    known = [it for it in (nodes.instance_types if nodes else ()) if it in facts]
    if not known:
        return None
    smallest = min(known, key=lambda it: facts[it].vcpu)
    code = quota_code(smallest, "on-demand")
    return Offer(code, smallest, facts[smallest].vcpu, 0) if code else None


def _of_system_nodes(count: int, offer: Offer, left: dict[str, int], region: str) -> Finding:
    needed = count * offer.vcpu
    enough = left[offer.code] >= needed
    return Finding(
        CHECK,
        "cluster.eks.systemNodes",
        "ok" if enough else "failed",
        f"{offer.code}: {left[offer.code]} vCPU left",
        f"{needed} for {count} of {offer.instance_type}",
        "" if enough else f"without them nothing starts: {quota_link('ec2', offer.code, region)}",
    )


def _of_models(stack: Stack, facts: Facts, left: dict[str, int], region: str) -> Iterator[Finding]:
    """Each pool alone is looked at with all that is left: two may still fight for one quota."""
    for name, pods in model_pods(stack).items():
        pools = [stack.pools[name]] if name in stack.pools else list(stack.gpu_pools.values())
        if any("reserved" in pool.capacity_types for pool in pools) or not pools:
            continue
        offers = [offer for pool in pools for offer in offers_of(pool, facts)]
        gpus = [count for _, count in pods]
        bought = nodes_for(gpus, offers, left)
        servers = ", ".join(dict.fromkeys(server for server, _ in pods))
        codes = sorted({offer.code for offer in offers})
        room = ", ".join(f"{code} {left[code]} vCPU" for code in codes)
        where = name or "any GPU pool"
        links = " or ".join(quota_link("ec2", code, region) for code in codes)
        yield Finding(
            CHECK,
            f"modelServers on {where}",
            "ok" if bought or not gpus else "failed",
            room,
            f"{len(gpus)} Pods with {sum(gpus)} GPUs ({servers})",
            "" if bought or not gpus else f"their Pods would stay Pending; raise one: {links}",
        )
