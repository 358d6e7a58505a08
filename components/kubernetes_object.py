"""A manifest as a Pulumi resource."""

from typing import Any

from pulumi import CustomResource, ResourceOptions

SECRET_FIELDS = ["data", "stringData"]


def type_token(manifest: dict[str, Any]) -> str:
    """The token under which the Kubernetes provider knows the manifest's kind."""
    version = manifest["apiVersion"]
    return f"kubernetes:{'core/v1' if version == 'v1' else version}:{manifest['kind']}"


def kubernetes_object(
    name: str, manifest: dict[str, Any], *, opts: ResourceOptions | None = None
) -> CustomResource:
    """The resource of one manifest; `name` is its Pulumi name, unique within its type.

    The SDK's typed classes register the very same resource, but take seconds to import.
    """
    options = opts or ResourceOptions()
    if manifest["kind"] == "Secret":
        secret = ResourceOptions(additional_secret_outputs=SECRET_FIELDS)
        options = ResourceOptions.merge(options, secret)
    return CustomResource(type_token(manifest), name, dict(manifest), options)
