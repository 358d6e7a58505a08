"""Operations of an OpenAPI 3 document as api tools: pure data in, pure data out."""

import re
from typing import Any

from pydantic import ValidationError

from agents.api_tool import ImportedApiTool, OpenApiTool

MAX_REFERENCES = 500
MAX_DEPTH = 12
_METHODS = ("get", "post", "put", "patch", "delete")
_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_JSON = re.compile(r"application/([a-z.+-]+\+)?json")
_KEPT = (
    *("type", "enum", "const", "pattern", "format", "minimum", "maximum", "minLength"),
    *("maxLength", "minItems", "maxItems", "items", "properties", "required", "description"),
    *("additionalProperties", "oneOf", "anyOf", "allOf"),
)


class OpenApiError(ValueError):
    """An operation that can't become a tool; says why."""


def imported(tool: OpenApiTool, document: Any) -> list[ImportedApiTool]:
    """A tool for each allowed operation, in the order of the allowlist.

    OpenApiError names the first operation that is missing or can't be called with JSON.
    """
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        raise OpenApiError("the document is no OpenAPI 3 document")
    found = _operations(document)
    missing = [each for each in tool.config.operations if each not in found]
    if missing:
        known = ", ".join(sorted(found)[:20])
        raise OpenApiError(f"the document has no operation {missing[0]!r}; it has: {known}")
    return [_Operation(tool, document, *found[name]).tool() for name in tool.config.operations]


def _operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Path, method and operation by operationId; parameters of the path are put in."""
    found: dict[str, tuple[str, str, dict[str, Any]]] = {}
    for path, item in _dict(document.get("paths")).items():
        for method in _METHODS:
            operation = _dict(_dict(item).get(method))
            if "operationId" in operation:
                shared = _list(_dict(item).get("parameters"))
                own = _list(operation.get("parameters"))
                both = {**operation, "parameters": [*shared, *own]}
                found[str(operation["operationId"])] = (path, method, both)
    return found


class _Operation:
    """One operation on its way to a tool."""

    def __init__(
        self,
        source: OpenApiTool,
        document: dict[str, Any],
        path: str,
        method: str,
        operation: dict[str, Any],
    ) -> None:
        self._source = source
        self._document = document
        self._path = path
        self._method = method
        self._operation = operation
        self._followed = 0

    def tool(self) -> ImportedApiTool:
        source, config = self._source, self._source.config
        name = str(self._operation["operationId"])
        words = self._operation.get("description") or self._operation.get("summary") or name
        effect = source.side_effect or ("read" if self._method == "get" else "write")
        limits = config.model_dump(include={"timeout", "max_response_bytes", "max_redirects"})
        data = {
            "name": re.sub(r"[^A-Za-z0-9_-]", "_", f"{source.name}_{name}")[:64],
            "type": "api",
            "description": " ".join(str(words).split())[:1000],
            "config": {"endpoint": self._endpoint(), "method": self._method.upper(), **limits},
            "parameters": self._parameters(name),
            "sideEffect": effect,
            "authentication": source.authentication,
        }
        shared = ("requires_approval", "approval", "trusted", "after_untrusted", "on_unknown")
        try:
            return ImportedApiTool.model_validate(
                data | {field: getattr(source, field) for field in shared}
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise OpenApiError(f"operation {name!r}: {place}: {first['msg']}") from None

    def _endpoint(self) -> str:
        servers = _list(self._document.get("servers"))
        base = self._source.config.server or str(_dict(servers[0] if servers else {}).get("url"))
        if not base.startswith(("https://", "http://")):
            raise OpenApiError("the document names no server with a host; give config.server")
        return base.rstrip("/") + self._path

    def _parameters(self, name: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for given in self._operation["parameters"]:
            each = _dict(self._followed_to(given))
            place = each.get("in")
            if place in ("path", "query"):
                parameter = self._parameter(str(each["name"]), each, each.get("schema"))
                found[parameter["name"]] = {**parameter, "in": place}
            elif each.get("required"):
                raise OpenApiError(f"operation {name!r} needs a {place} parameter {each['name']!r}")
        for parameter in self._body(name):
            if parameter["name"] in found:
                raise OpenApiError(f"operation {name!r} has {parameter['name']!r} twice")
            found[parameter["name"]] = {**parameter, "in": "body"}
        return list(found.values())

    def _body(self, name: str) -> list[dict[str, Any]]:
        body = _dict(self._followed_to(self._operation.get("requestBody")))
        content = _dict(body.get("content"))
        if not content:
            return []
        kind = next((each for each in content if _JSON.match(each)), None)
        if kind is None:
            raise OpenApiError(f"operation {name!r} takes no JSON, but: {', '.join(content)}")
        schema = self._plain(_dict(content[kind]).get("schema"), 0)
        if schema.get("type", "object") != "object":
            raise OpenApiError(f"operation {name!r} takes a JSON value that is no object")
        required = _list(schema.get("required")) if body.get("required", True) else []
        return [
            self._parameter(key, {**_dict(each), "required": key in required}, each)
            for key, each in _dict(schema.get("properties")).items()
        ]

    def _parameter(self, name: str, about: dict[str, Any], schema: Any) -> dict[str, Any]:
        plain = self._plain(schema, 0)
        kind = plain.get("type", "string")
        kind = next((each for each in _list(kind) if each != "null"), "string")
        if kind not in _TYPES:
            raise OpenApiError(f"parameter {name!r} has the unknown type {kind!r}")
        return {
            "name": name,
            "type": kind,
            "description": " ".join(str(about.get("description", "")).split())[:500],
            "required": bool(about.get("required")),
            "schema": {key: value for key, value in plain.items() if key in _KEPT},
        }

    def _plain(self, schema: Any, depth: int) -> dict[str, Any]:
        """The schema without references; what is too deep may be anything."""
        found = _dict(self._followed_to(schema))
        if depth > MAX_DEPTH:
            return {}
        plain = dict(found)
        if isinstance(found.get("properties"), dict):
            plain["properties"] = {
                key: self._plain(each, depth + 1) for key, each in found["properties"].items()
            }
        for key in ("items", "additionalProperties"):
            if isinstance(found.get(key), dict):
                plain[key] = self._plain(found[key], depth + 1)
        for key in ("oneOf", "anyOf", "allOf"):
            if isinstance(found.get(key), list):
                plain[key] = [self._plain(each, depth + 1) for each in found[key]]
        return {key: value for key, value in plain.items() if key in _KEPT}

    def _followed_to(self, value: Any) -> Any:
        """What a reference inside the document stands for; others are never fetched."""
        while isinstance(value, dict) and "$ref" in value:
            self._followed += 1
            reference = str(value["$ref"])
            if not reference.startswith("#/") or self._followed > MAX_REFERENCES:
                raise OpenApiError(f"the reference {reference[:80]!r} can't be followed")
            value = self._document
            for part in reference[2:].split("/"):
                value = _dict(value).get(part.replace("~1", "/").replace("~0", "~"))
        return value


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
