"""The one way in: who may ask, which model or agent answers."""

import hashlib
from collections.abc import Mapping

from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions, RunError

from components import envoy_gateway
from components.agentgateway import Agentgateway
from components.child_options import child_options, without_waits
from components.envoy_bootstrap import bootstrap, render
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.gateway_support import refusals
from components.kgateway import Kgateway
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from inference.routing import RouteTable


def bootstrap_text(
    config: GatewayConfig,
    routes: RouteTable,
    *,
    api_keys: Mapping[str, Input[str]],
    provider_keys: Mapping[str, Input[str]],
    jwks: Input[str] | None,
    traces_url: Input[str] | None,
    traces_headers: Input[Mapping[str, str]] | None,
) -> Output[str]:
    """Envoy's configuration as a secret: it holds credentials of traces and hosted APIs."""

    def rendered(given: dict[str, object]) -> str:
        try:
            return render(bootstrap(config, routes, **given))  # type: ignore[arg-type]  # as named
        except ValueError as error:
            raise RunError(str(error)) from None

    inputs = Output.all(
        api_keys=dict(api_keys),
        provider_keys=dict(provider_keys),
        jwks=jwks,
        traces_url=traces_url,
        traces_headers=traces_headers,
    )
    return Output.secret(inputs.apply(rendered))


class Gateway(ComponentResource):
    """Authenticates, routes by public model name, limits and logs."""

    url: Output[str]
    """Where Pods of the cluster reach it, without a path."""

    def __init__(
        self,
        name: str,
        *,
        config: GatewayConfig,
        routes: RouteTable,
        namespace: Input[str],
        backend_namespaces: Mapping[str, Input[str]] | None = None,
        api_keys: Mapping[str, Input[str]] | None = None,
        api_key_secret: Input[str] | None = None,
        provider_keys: Mapping[str, Input[str]] | None = None,
        jwks: Input[str] | None = None,
        traces_url: Input[str] | None = None,
        traces_headers: Input[Mapping[str, str]] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """Variant `envoy` takes the keys themselves, by tenant; `kgateway` the name of a Secret
        whose entries are tenant → key; `agentgateway` the keys, or the name of a Secret of their
        hashes. Only `envoy` traces: to OTLP over HTTP. What goes into a namespace of the backends
        waits for the one of that name in `backend_namespaces`."""
        super().__init__("agentic:gateway:Gateway", name, None, without_waits(opts))
        refused = refusals(config, routes)
        if refused:
            raise RunError("\n".join(refused))
        made: list[Resource]
        if config.variant == "envoy":
            text = bootstrap_text(
                config,
                routes,
                api_keys=api_keys or {},
                provider_keys=provider_keys or {},
                jwks=jwks,
                traces_url=traces_url,
                traces_headers=traces_headers,
            )
            made = self._envoy(name, config, namespace, text, child_options(self, opts))
        elif config.variant == "agentgateway":
            made = [
                Agentgateway(
                    name,
                    config=config,
                    routes=routes,
                    namespace=namespace,
                    backend_namespaces=backend_namespaces,
                    jwks=jwks,
                    api_keys=api_keys,
                    api_key_secret=api_key_secret,
                    opts=child_options(self, opts),
                )
            ]
        else:
            made = [
                Kgateway(
                    name,
                    config=config,
                    routes=routes,
                    namespace=namespace,
                    backend_namespaces=backend_namespaces,
                    api_key_secret=api_key_secret,
                    jwks=jwks,
                    opts=child_options(self, opts),
                )
            ]
        host = Output.concat(
            "http://", GATEWAY_NAME, ".", namespace, f".svc.cluster.local:{config.port}"
        )
        self.url = after(host, made)
        self.register_outputs({"url": self.url})

    def _envoy(
        self,
        name: str,
        config: GatewayConfig,
        namespace: Input[str],
        text: Output[str],
        child: ResourceOptions,
    ) -> list[Resource]:
        digest = text.apply(lambda t: hashlib.sha256(t.encode()).hexdigest()[:16])
        objects = envoy_gateway.manifests(
            config, namespace=namespace, bootstrap=text, digest=Output.unsecret(digest)
        )
        secret = kubernetes_object(f"{name}-bootstrap", objects.pop("bootstrap"), opts=child)
        with_secret = ResourceOptions(parent=self, depends_on=[secret])
        return [
            kubernetes_object(f"{name}-{what}", manifest, opts=with_secret)
            for what, manifest in objects.items()
        ]
