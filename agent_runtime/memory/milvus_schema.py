"""The shape of every knowledge collection, as the architecture gives it for `agent_knowledge`."""

from typing import Any

AGENT_KNOWLEDGE = "agent_knowledge"
MAX_CONTENT_BYTES = 65535


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
        field_name="embedding",
        index_type="HNSW",
        metric_type="COSINE",
        params={"M": 16, "efConstruction": 256},
    )
    return params
