"""kgateway: API keys and tokens side by side, by a route for each kind of credentials."""

from typing import Any

TOKENS = "-tokens"
"""Ends the name of the route that takes tokens."""

# Also a key of that form would land there; keys are made without dots.
_LOOKS_LIKE_ONE = r"[Bb]earer +[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
ROUTES = ("HTTPRoute", "GRPCRoute")

Manifests = dict[str, dict[str, Any]]


def for_both(found: Manifests) -> Manifests:
    """Each route once more for requests whose credentials look like a token, with its policies."""
    made: Manifests = {}
    for what, manifest in found.items():
        if manifest["kind"] in ROUTES:
            made[f"{what}{TOKENS}"] = _for_tokens(manifest)
        made[what] = manifest
        targets = manifest.get("spec", {}).get("targetRefs", ())
        doubled = [it | {"name": it["name"] + TOKENS} for it in targets if it["kind"] in ROUTES]
        if doubled:
            spec = manifest["spec"] | {"targetRefs": [*targets, *doubled]}
            made[what] = manifest | {"spec": spec}
    return made


def _for_tokens(manifest: dict[str, Any]) -> dict[str, Any]:
    token = {"type": "RegularExpression", "name": "authorization", "value": _LOOKS_LIKE_ONE}
    rules = [
        rule
        | {
            "matches": [
                match | {"headers": [*match.get("headers", ()), token]} for match in rule["matches"]
            ]
        }
        for rule in manifest["spec"]["rules"]
    ]
    meta = manifest["metadata"]
    return manifest | {
        "metadata": meta | {"name": meta["name"] + TOKENS},
        "spec": manifest["spec"] | {"rules": rules},
    }
