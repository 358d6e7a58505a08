"""The shape of every knowledge collection, as the architecture gives it for `agent_knowledge`."""

from typing import Any

AGENT_KNOWLEDGE = "agent_knowledge"
MAX_CONTENT_BYTES = 65535
INDEX_TYPE, METRIC = "HNSW", "COSINE"
INDEX_PARAMS = {"M": 16, "efConstruction": 256}
PROPERTIES = {"partitionkey.isolation": True}
"""A search must then name exactly one tenant, or the server refuses it; Milvus Lite keeps the
property without acting on it."""
_CALL_SECONDS = 30.0


def collection_schema(client: Any, dimension: int) -> Any:
    """Fields of a collection; the tenant is the partition key, so tenants lie apart."""
    from pymilvus import DataType

    schema = client.create_schema(
        auto_id=False, enable_dynamic_field=False, description="Knowledge base for agents"
    )
    schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
    schema.add_field("content", DataType.VARCHAR, max_length=MAX_CONTENT_BYTES)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("tenant_id", DataType.VARCHAR, max_length=64, is_partition_key=True)
    return schema


def index_params(client: Any) -> Any:
    """HNSW on cosine, M=16, efConstruction=256."""
    params = client.prepare_index_params()
    params.add_index(
        field_name="embedding", index_type=INDEX_TYPE, metric_type=METRIC, params=INDEX_PARAMS
    )
    return params


def make_collection(client: Any, name: str, dimension: int) -> bool:
    """Make the collection unless it is there; whether it was made."""
    if client.has_collection(name, timeout=_CALL_SECONDS):
        return False
    client.create_collection(
        name,
        schema=collection_schema(client, dimension),
        index_params=index_params(client),
        properties=PROPERTIES,
        timeout=_CALL_SECONDS,
    )
    return True


def load_collection(client: Any, name: str) -> None:
    """Have it loaded; a user who may only read leaves that to those who may write."""
    from grpc import RpcError, StatusCode

    try:
        client.load_collection(name, timeout=_CALL_SECONDS)
    except RpcError as error:
        if error.code() is not StatusCode.PERMISSION_DENIED:
            raise


def shape_of(client: Any, name: str) -> dict[str, str]:
    """What a server's collection looks like, one `thing: value` for each part that matters.

    M and efConstruction are left out where the server does not tell them (Milvus Lite).
    """
    described = client.describe_collection(name, timeout=_CALL_SECONDS)
    shape: dict[str, str] = {}
    for field in described["fields"]:
        params = field["params"]
        size = "".join(f"({params[key]})" for key in ("max_length", "dim") if key in params)
        marks = [mark for mark in ("is_primary", "is_partition_key") if field.get(mark)]
        shape[f"field {field['name']}"] = " ".join([f"{field['type'].name}{size}", *marks])
    shape["dynamic fields"] = str(bool(described.get("enable_dynamic_field"))).lower()
    isolation = described.get("properties", {}).get("partitionkey.isolation", "false")
    shape["property partitionkey.isolation"] = str(isolation).lower()
    found = client.describe_index(name, "embedding", timeout=_CALL_SECONDS) or {}
    wanted = {"index_type": INDEX_TYPE, "metric_type": METRIC, **INDEX_PARAMS}
    for key in wanted:
        if key in found or key in ("index_type", "metric_type"):
            shape[f"index {key}"] = str(found.get(key, "none"))
    return shape


def wanted_shape(dimension: int) -> dict[str, str]:
    """The architecture's shape in the same words."""
    return {
        "field id": "VARCHAR(64) is_primary",
        "field content": f"VARCHAR({MAX_CONTENT_BYTES})",
        "field embedding": f"FLOAT_VECTOR({dimension})",
        "field metadata": "JSON",
        "field tenant_id": "VARCHAR(64) is_partition_key",
        "dynamic fields": "false",
        "property partitionkey.isolation": "true",
        "index index_type": INDEX_TYPE,
        "index metric_type": METRIC,
        **{f"index {key}": str(value) for key, value in INDEX_PARAMS.items()},
    }


def drift(found: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """One line for each difference; what the server does not tell is no difference."""
    untold = {"index M", "index efConstruction"}
    lines = [
        f"{thing}: is {found.get(thing, 'missing')}, wanted {value}"
        for thing, value in wanted.items()
        if found.get(thing) != value and not (thing in untold and thing not in found)
    ]
    return lines + [
        f"{thing}: is {value}, wanted none" for thing, value in found.items() if thing not in wanted
    ]
