"""A real gRPC server with reflection, its schema built here: no generated code is needed."""

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import (  # type: ignore[import-untyped] # published without types
    reflection,
)

SERVICE = "stock.v1.Stock"
_STRING = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
_INT32 = descriptor_pb2.FieldDescriptorProto.TYPE_INT32
_MESSAGE = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE


def schema() -> Any:
    """stock.proto: Find(item) → item, amount, checked; Watch streams."""
    file = descriptor_pb2.FileDescriptorProto(
        name="stock.proto",
        package="stock.v1",
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"],
    )
    request = file.message_type.add(name="FindRequest")
    request.field.add(name="item", number=1, type=_STRING, label=1)
    request.field.add(name="max_results", number=2, type=_INT32, label=1)
    answer = file.message_type.add(name="FindAnswer")
    answer.field.add(name="item", number=1, type=_STRING, label=1)
    answer.field.add(name="amount", number=2, type=_INT32, label=1)
    answer.field.add(
        name="checked",
        number=3,
        type=_MESSAGE,
        label=1,
        type_name=".google.protobuf.Timestamp",
    )
    service = file.service.add(name="Stock")
    types = {"input_type": ".stock.v1.FindRequest", "output_type": ".stock.v1.FindAnswer"}
    service.method.add(name="Find", **types)
    service.method.add(name="Watch", server_streaming=True, **types)
    return file


@dataclass
class Stock:
    """What the service was asked, and how it shall answer."""

    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    fail: list[grpc.StatusCode] = field(default_factory=list)
    """Codes of the next answers."""
    fail_schema: list[grpc.StatusCode] = field(default_factory=list)
    """Codes of the next answers of the reflection."""
    hang: threading.Event | None = None


class _Unwilling(grpc.ServerInterceptor):  # type: ignore[misc] # grpc has no types here
    """Reflection that fails as `stock` says."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        if reflection.SERVICE_NAME not in details.method or not self._stock.fail_schema:
            return continuation(details)
        code = self._stock.fail_schema.pop(0)

        def refuse(_requests: Any, context: Any) -> None:
            context.abort(code, "not now")

        return grpc.stream_stream_rpc_method_handler(refuse)


@contextmanager
def stock_service(*, reflecting: bool = True) -> Iterator[Stock]:
    """Serve on a free port of loopback."""
    pool = descriptor_pool.DescriptorPool()
    from google.protobuf import timestamp_pb2

    proto = descriptor_pb2.FileDescriptorProto()
    timestamp_pb2.DESCRIPTOR.CopyToProto(proto)
    pool.Add(proto)
    pool.Add(schema())
    messages = message_factory.GetMessageClassesForFiles(["stock.proto"], pool)
    request, answer = messages["stock.v1.FindRequest"], messages["stock.v1.FindAnswer"]
    stock = Stock()

    def find(given: Any, context: Any) -> Any:
        metadata = dict(context.invocation_metadata())
        stock.asked.append({"item": given.item, "max": given.max_results, "metadata": metadata})
        if stock.hang is not None:
            stock.hang.wait(10)
        if stock.fail:
            context.abort(stock.fail.pop(0), "not now")
        return answer(item=given.item, amount=7, checked={"seconds": 0})

    handler = grpc.unary_unary_rpc_method_handler(
        find, request.FromString, lambda message: message.SerializeToString()
    )
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[_Unwilling(stock)])
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(SERVICE, {"Find": handler})]
    )
    if reflecting:
        names = (SERVICE, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server, pool=pool)
    stock.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield stock
    finally:
        if stock.hang is not None:
            stock.hang.set()
        server.stop(None).wait()
