"""Services and Secrets: no open door, no secret in a stack's own state."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .cluster import EVERYBODY
from .pods import namespace
from .rule import TRUTH, UNKNOWN, Finding, Resource, Rule, Setting, Settings, at, known, listed

SERVICE = "kubernetes:core/v1:Service"
SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - the name of a kind
GATEWAY_PARAMETERS = ":GatewayParameters"
SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"
RANGES = "loadBalancerSourceRanges"


def _load_balancers(resource: Resource) -> Iterator[tuple[Any, Any]]:
    """Ranges and scheme of each load balancer that an object makes."""
    if resource.type == SERVICE and at(resource.props, "spec", "type") == "LoadBalancer":
        annotations = at(resource.props, "metadata", "annotations")
        yield at(resource.props, "spec", RANGES), at(annotations, SCHEME)
    elif resource.type.endswith(GATEWAY_PARAMETERS):
        service = at(resource.props, "spec", "kube", "service")
        if at(service, "type") == "LoadBalancer":
            yield at(service, RANGES), at(service, "extraAnnotations", SCHEME)


def _open(resource: Resource, settings: Settings) -> Iterable[Finding]:
    if settings["public"]:
        return
    for ranges, scheme in _load_balancers(resource):
        if not known(ranges) or scheme in ("internal", UNKNOWN):
            continue
        wide = [it for it in listed(ranges) if it in EVERYBODY]
        if wide or not listed(ranges):
            yield Finding(
                f"a load balancer for {', '.join(wide) or 'everybody (no source range)'}",
                f"{RANGES}, or the scheme 'internal'",
                "name who may come in, or set gateway.public: true",
            )


def _plain(resource: Resource, settings: Settings) -> Iterable[Finding]:
    if not settings["external"]:
        return
    content = [resource.props.get(place) for place in ("data", "stringData")]
    keys = [key for it in content if isinstance(it, Mapping) for key in it]
    if keys:
        yield Finding(
            f"in namespace {namespace(resource)!r} holds {', '.join(sorted(keys))}",
            "Secrets that External Secrets writes",
            "put it into Secrets Manager and add an entry to secrets.entries",
        )


def _public(stack: Mapping[str, Any]) -> Any:
    return at(stack, "gateway", "public")


def _external(stack: Mapping[str, Any]) -> Any:
    source = at(stack, "secrets", "source")
    return None if source is None else source == "externalSecrets"


RULES = (
    Rule(
        "load-balancer",
        "mandatory",
        "No load balancer is open to everybody unless the gateway is public.",
        _open,
        of=(SERVICE, "kubernetes:gateway.kgateway.dev/"),
        settings={
            "public": Setting(
                TRUTH, "as `gateway.public` of the stack's file", default=False, from_stack=_public
            )
        },
    ),
    Rule(
        "secret-content",
        "mandatory",
        "Where External Secrets is used, no Secret has its content from the program.",
        _plain,
        of=(SECRET,),
        settings={
            "external": Setting(
                TRUTH, "as `secrets.source` of the stack's file", default=True, from_stack=_external
            )
        },
    ),
)
