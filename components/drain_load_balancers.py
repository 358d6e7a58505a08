"""What has a load balancer on AWS; the decision before its controller goes."""

from components.drain import Kind, Listed, Step, Surroundings, owners, step

SERVICE = Kind("v1", "Service", "services", namespaced=True)
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways", namespaced=True)
TARGET_GROUP_BINDING = Kind(
    "elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "targetgroupbindings", namespaced=True
)
KINDS = (SERVICE, GATEWAY, TARGET_GROUP_BINDING)
OF_A_SERVICE = "service.k8s.aws/stack-name"
"""Label of the bindings that the AWS Load Balancer Controller makes for a Service, and removes."""
WAY_OUT = "the load balancer's controller must run to take them away: see its log in kube-system"


def load_balancer_step(listed: Listed, around: Surroundings) -> Step:
    """Gateways, Services of type LoadBalancer and target group bindings go.

    What goes with another one is only awaited: its controller would make it anew.
    """
    gateways = [(GATEWAY, it) for it in listed.get(GATEWAY, ())]
    services = [
        (SERVICE, it)
        for it in listed.get(SERVICE, ())
        if it.get("spec", {}).get("type") == "LoadBalancer"
    ]
    bindings = [(TARGET_GROUP_BINDING, it) for it in listed.get(TARGET_GROUP_BINDING, ())]
    known = {it["metadata"]["uid"] for _, it in gateways}
    spared = [it["metadata"]["uid"] for _, it in services if owners(it) & known]
    spared += [
        it["metadata"]["uid"]
        for _, it in bindings
        if OF_A_SERVICE in (it["metadata"].get("labels") or {})
    ]
    return step([*gateways, *services, *bindings], around, spared=spared)
