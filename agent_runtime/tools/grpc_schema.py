"""The messages of a gRPC method, without generated code."""

from dataclasses import dataclass
from typing import Any

MAX_FILES = 200
"""Files of a server's schema that are read by reflection."""
REPEATS = 2
"""Of the question for a schema, which changes nothing."""


class SchemaError(Exception):
    """The method's messages can't be known; says why."""


@dataclass(frozen=True)
class MethodTypes:
    """Message classes of one unary method."""

    request: Any
    response: Any


def by_descriptor(content: bytes, service: str, method: str) -> MethodTypes:
    """From a serialized FileDescriptorSet."""
    from google.protobuf import descriptor_pb2
    from google.protobuf.message import DecodeError

    files = descriptor_pb2.FileDescriptorSet()
    try:
        files.ParseFromString(content)
    except DecodeError:
        raise SchemaError("the descriptor set is none") from None
    return _types({each.name: each for each in files.file}, service, method)


async def by_reflection(channel: Any, service: str, method: str) -> MethodTypes:
    """From the server itself (grpc.reflection.v1alpha)."""
    import grpc

    for _ in range(REPEATS):
        try:
            return await _reflected(channel, service, method)
        except grpc.aio.AioRpcError as error:
            # a write that meets the end of a stream can leave INTERNAL in the server's own place
            if error.code() is not grpc.StatusCode.INTERNAL:
                raise
    return await _reflected(channel, service, method)


async def _reflected(channel: Any, service: str, method: str) -> MethodTypes:
    import grpc
    from grpc_reflection.v1alpha import (  # type: ignore[import-untyped] # published without types
        reflection_pb2 as wire,
    )

    stub = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=wire.ServerReflectionRequest.SerializeToString,
        response_deserializer=wire.ServerReflectionResponse.FromString,
    )
    stream = stub()
    files: dict[str, Any] = {}
    wanted = [wire.ServerReflectionRequest(file_containing_symbol=service)]
    asked: set[str] = set()
    try:
        while wanted:
            await stream.write(wanted.pop())
            answer = await stream.read()
            for each in _files(answer):
                files[each.name] = each
                wanted += [
                    wire.ServerReflectionRequest(file_by_filename=name)
                    for name in each.dependency
                    if name not in files and name not in asked
                ]
                asked.update(each.dependency)
            if len(files) > MAX_FILES:
                raise SchemaError(f"the server's schema has more than {MAX_FILES} files")
        await stream.done_writing()
    except grpc.aio.AioRpcError:
        # what a write says of the end of the stream is less than the stream itself knows
        if await stream.code() is grpc.StatusCode.UNIMPLEMENTED:
            text = "the server has no reflection; give the tool a descriptorSet"
            raise SchemaError(text) from None
        raise
    finally:
        stream.cancel()
    return _types(files, service, method)


def _files(answer: Any) -> list[Any]:
    import grpc
    from google.protobuf import descriptor_pb2

    if answer is grpc.aio.EOF:
        raise SchemaError("the server ended the reflection stream")
    if answer.HasField("error_response"):
        raise SchemaError(f"the server knows no such thing: {answer.error_response.error_message}")
    return [
        descriptor_pb2.FileDescriptorProto.FromString(each)
        for each in answer.file_descriptor_response.file_descriptor_proto
    ]


def _types(files: dict[str, Any], service: str, method: str) -> MethodTypes:
    """The classes, from a pool of their own: two servers may use the same names."""
    from google.protobuf import descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    placed: set[str] = set()

    def place(name: str) -> None:
        if name in placed:
            return
        placed.add(name)
        if name not in files:
            _well_known(pool, name)
            return
        for dependency in files[name].dependency:
            place(dependency)
        pool.Add(files[name])

    try:
        for name in list(files):
            place(name)
        found = pool.FindServiceByName(service).FindMethodByName(method)
    except (KeyError, TypeError) as error:
        raise SchemaError(f"the schema does not hold {service}/{method}: {error}") from None
    if found is None:
        raise SchemaError(f"the service {service} has no method {method}")
    if found.client_streaming or found.server_streaming:
        raise SchemaError(f"{service}/{method} streams; only plain calls can be tools")
    return MethodTypes(
        message_factory.GetMessageClass(found.input_type),
        message_factory.GetMessageClass(found.output_type),
    )


def _well_known(pool: Any, name: str) -> None:
    """Google's own files (timestamps, wrappers …), which descriptor sets often leave out."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    for module in ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"):
        __import__(f"google.protobuf.{module}_pb2")
    proto = descriptor_pb2.FileDescriptorProto()
    descriptor_pool.Default().FindFileByName(name).CopyToProto(proto)
    pool.Add(proto)
