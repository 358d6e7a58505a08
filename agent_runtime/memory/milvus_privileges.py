"""What a user of a database may do there."""

from typing import Any, Literal

Access = Literal["read", "readWrite"]
_GROUPS = {
    "read": ("CollectionReadOnly", "DatabaseReadOnly"),
    "readWrite": ("CollectionReadWrite", "DatabaseReadOnly"),
}
"""Milvus' own groups of privileges (2.5 and later)."""
_READ = (
    *("Query", "Search", "IndexDetail", "GetStatistics", "GetLoadState", "GetLoadingProgress"),
    *("GetFlushState", "ShowPartitions", "HasPartition"),
)
_WRITE = (
    *("Load", "Release", "Insert", "Delete", "Upsert", "Import", "Flush", "Compaction"),
    *("LoadBalance", "CreateIndex", "DropIndex", "CreatePartition", "DropPartition"),
)
_SINGLY = {"read": _READ, "readWrite": (*_READ, *_WRITE)}
"""What those groups hold, for servers that know no groups."""
_ABOUT_COLLECTIONS = ("DescribeCollection", "ShowCollections")
_SECONDS = 30.0


def grant_access(client: Any, role: str, access: Access, database: str) -> None:
    """Let the role do in one database what its access says; again changes nothing.

    Raises what pymilvus raises.
    """
    from grpc import RpcError, StatusCode

    try:
        for group in _GROUPS[access]:
            client.grant_privilege_v2(role, group, "*", db_name=database, timeout=_SECONDS)
    except RpcError as error:
        if error.code() is not StatusCode.UNIMPLEMENTED:
            raise
        _grant_singly(client, role, access, database)


def _grant_singly(client: Any, role: str, access: Access, database: str) -> None:
    wanted = [("Collection", each) for each in _SINGLY[access]]
    wanted += [("Global", each) for each in _ABOUT_COLLECTIONS]
    for kind, privilege in wanted:
        client.grant_privilege(role, kind, privilege, "*", db_name=database, timeout=_SECONDS)
