"""The CustomResourceDefinition of Tool, made from the model that documents are checked with.

Kubernetes wants a structural schema: no references, no unions of objects. The configs of all types
therefore become one object, and rules in CEL say which keys belong to which type.
"""

from typing import Any

from pydantic import BaseModel

from agents.document import TOOL_GROUP
from agents.tool import TOOL_TYPES

PRESERVE = {"x-kubernetes-preserve-unknown-fields": True}
_KEPT = (
    *("type", "description", "enum", "pattern", "minimum", "maximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "required"),
)


def tool_crd() -> dict[str, Any]:
    """`tools.tools.kagent.dev`, version v1alpha1."""
    columns = [
        {"name": "Type", "type": "string", "jsonPath": ".spec.type"},
        {"name": "Description", "type": "string", "jsonPath": ".spec.description"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object_schema()},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }
    names = {"kind": "Tool", "listKind": "ToolList", "plural": "tools", "singular": "tool"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"tools.{TOOL_GROUP}"},
        "spec": {
            "group": TOOL_GROUP,
            "scope": "Namespaced",
            "names": {**names, "categories": ["kagent"]},
            "versions": [version],
        },
    }


def _object_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A tool that agents of this namespace may list by name.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec_schema(),
            "status": {"type": "object", **PRESERVE},
        },
    }


def _spec_schema() -> dict[str, Any]:
    """The specs of all types as one object with rules between its keys."""
    specs = {kind: _structural(model) for kind, model in TOOL_TYPES.items()}
    configs = {kind: spec["properties"]["config"] for kind, spec in specs.items()}
    properties: dict[str, Any] = {}
    for spec in specs.values():
        properties |= spec["properties"]
    del properties["name"]
    properties["type"] = {
        "type": "string",
        "enum": list(TOOL_TYPES),
        "description": "What the tool does; decides the keys of `config`.",
    }
    properties["config"] = _merged(configs)
    rules = [rule for kind in configs for rule in _rules(kind, configs)]
    proving = [kind for kind, spec in specs.items() if "authentication" in spec["properties"]]
    rules.append(
        {
            "rule": f"self.type in {proving} || !has(self.authentication)",
            "message": f"only these types have authentication: {', '.join(proving)}",
        }
    )
    return {
        "type": "object",
        "required": ["type"],
        "properties": properties,
        "x-kubernetes-validations": rules,
    }


def _merged(configs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All keys of all types; of a key that several types share, what they all say about it."""
    properties: dict[str, Any] = {}
    for config in configs.values():
        for name, schema in config["properties"].items():
            known = properties.get(name, schema)
            properties[name] = {
                key: value for key, value in schema.items() if known.get(key) == value
            }
    return {"type": "object", "properties": properties}


def _rules(kind: str, configs: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    """What `config` must hold, and what it must not, when the type is `kind`."""
    own = configs[kind]["properties"]
    foreign = [
        name
        for name in dict.fromkeys(key for each in configs.values() for key in each["properties"])
        if name not in own
    ]
    held = " || ".join(f"has(self.config.{name})" for name in foreign)
    rules = [
        {
            "rule": f"self.type != '{kind}' || !has(self.config) || !({held})",
            "message": f"config of type {kind} holds only: {', '.join(own)}",
        }
    ]
    for name in configs[kind].get("required", []):
        there = f"(has(self.config) && has(self.config.{name}))"
        rules.append(
            {
                "rule": f"self.type != '{kind}' || {there}",
                "message": f"type {kind} needs config.{name}",
            }
        )
    return rules


def _structural(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    return _plain(schema, definitions)


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """One schema without references, titles, defaults and nulls."""
    if reference := schema.get("$ref"):
        target = _plain(definitions[reference.rpartition("/")[2]], definitions)
        return target | {key: schema[key] for key in ("description",) if key in schema}
    if choices := schema.get("anyOf"):
        real = [each for each in choices if each.get("type") != "null"]
        words = {key: " ".join(schema[key].split()) for key in ("description",) if key in schema}
        return (_plain(real[0], definitions) if len(real) == 1 else dict(PRESERVE)) | words
    plain = {key: schema[key] for key in _KEPT if key in schema}
    if "description" in plain:
        plain["description"] = " ".join(plain["description"].split())
    if "const" in schema:
        plain["enum"] = [schema["const"]]
    if "items" in schema:
        plain["items"] = _plain(schema["items"], definitions)
    more = schema.get("additionalProperties") or next(
        iter(schema.get("patternProperties", {}).values()), None
    )
    if isinstance(more, dict):
        plain["additionalProperties"] = _plain(more, definitions)
    elif more is True:
        plain |= PRESERVE
    if "properties" in schema:
        plain["properties"] = {
            name: _plain(each, definitions) for name, each in schema["properties"].items()
        }
    return plain if "type" in plain else plain | PRESERVE
