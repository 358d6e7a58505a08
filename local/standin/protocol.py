"""The messages that every stand-in uses, and the versions that the program will ask for."""

from importlib.metadata import version

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2

__all__ = ["empty_pb2", "engine_pb2", "engine_pb2_grpc", "plugin_pb2", "sdk_version", "struct_pb2"]


def sdk_version(distribution: str) -> str:
    """The installed SDK's version: a program asks for its plugin in the same one."""
    return version(distribution)
