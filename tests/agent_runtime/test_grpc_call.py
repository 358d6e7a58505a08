"""gRPC tools against a real server: reflection, descriptor sets, deadlines, repetition."""

import base64
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2

from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.grpc_call import GrpcCall
from agent_runtime.tools.port import CallContext, ToolResult, TransientToolError
from agents.tool import ApiTool
from tests.harness.grpc_service import Stock, schema, stock_service

pytestmark = pytest.mark.services

WHO = CallContext(tenant="acme", user="kim", run_id="run", call_id="call-1")


@pytest.fixture
def stock() -> Iterator[Stock]:
    with stock_service() as running:
        yield running


@asynccontextmanager
async def bound(
    port: int, *, path: str = "stock.v1.Stock/Find", allowed: str = "127.0.0.1", **more: Any
) -> AsyncIterator[GrpcCall]:
    config = {"endpoint": f"grpc://127.0.0.1:{port}/{path}", **more.pop("config", {})}
    secrets = more.pop("secrets", Path("/nowhere"))
    tool = ApiTool.model_validate({"name": "stock", "type": "api", "config": config, **more})
    made = GrpcCall(tool, guard=AddressGuard([allowed]), secrets_dir=secrets)
    try:
        yield made
    finally:
        await made.close()


async def call(port: int, arguments: dict[str, Any], **more: Any) -> ToolResult:
    async with bound(port, **more) as tool:
        return await tool.call(arguments, WHO)


async def test_the_server_tells_its_messages_by_reflection(stock: Stock) -> None:
    result = await call(stock.port, {"item": "Größe", "max_results": 3})
    assert not result.error, result.value
    assert result.value == {"item": "Größe", "amount": 7, "checked": "1970-01-01T00:00:00Z"}
    assert (stock.asked[0]["item"], stock.asked[0]["max"]) == ("Größe", 3)
    assert stock.asked[0]["metadata"]["idempotency-key"] == "run:call-1"


async def test_a_descriptor_set_stands_in_for_reflection(tmp_path: Path) -> None:
    files = descriptor_pb2.FileDescriptorSet(file=[schema()]).SerializeToString()
    path = tmp_path / "stock.pb"
    path.write_bytes(files)
    with stock_service(reflecting=False) as stock:
        for given in (base64.b64encode(files).decode(), str(path)):
            result = await call(stock.port, {"item": "a"}, config={"descriptorSet": given})
            assert result.value["amount"] == 7
        without = await call(stock.port, {"item": "a"})
    assert without.error
    assert "no reflection" in without.value


@pytest.mark.parametrize(("failures", "error"), [(2, False), (3, True)])
async def test_a_schema_is_asked_for_again_when_the_stream_ended_under_the_question(
    stock: Stock, failures: int, *, error: bool
) -> None:
    stock.fail_schema += [grpc.StatusCode.INTERNAL] * failures
    result = await call(stock.port, {"item": "a"})
    assert result.error is error
    assert stock.fail_schema == []


async def test_a_field_of_the_answer_can_be_selected(stock: Stock) -> None:
    result = await call(stock.port, {"item": "a"}, config={"select": "$.amount"})
    assert result.value == 7


@pytest.mark.parametrize(
    ("path", "arguments", "said"),
    [
        ("stock.v1.Stock/Find", {"colour": "red"}, "no field named"),
        ("stock.v1.Stock/Lose", {}, "find method Lose"),
        ("stock.v1.Stock/Watch", {}, "streams"),
        ("other.Service/Find", {}, "knows no such thing"),
    ],
)
async def test_what_the_schema_does_not_hold_is_explained(
    stock: Stock, path: str, arguments: dict[str, Any], said: str
) -> None:
    result = await call(stock.port, arguments, path=path)
    assert result.error
    assert said in result.value
    assert stock.asked == []


async def test_only_an_idempotent_call_is_made_again_when_the_service_is_unavailable(
    stock: Stock,
) -> None:
    stock.fail = [grpc.StatusCode.UNAVAILABLE] * 2
    result = await call(stock.port, {"item": "a"})
    assert result.error
    assert "unknown" in result.value
    with pytest.raises(TransientToolError):
        await call(stock.port, {"item": "a"}, sideEffect="read")


async def test_other_failures_are_told_to_the_model(stock: Stock) -> None:
    stock.fail = [grpc.StatusCode.NOT_FOUND]
    result = await call(stock.port, {"item": "a"}, sideEffect="read")
    assert (result.error, result.value) == (True, "NOT_FOUND: not now")


async def test_a_service_that_never_answers_is_left_and_the_next_call_works(stock: Stock) -> None:
    stock.hang = threading.Event()
    async with bound(stock.port, config={"timeout": "300ms"}) as tool:
        result = await tool.call({"item": "a"}, WHO)
        assert result.error
        stock.hang.set()
        stock.hang = None
    again = await call(stock.port, {"item": "a"})
    assert again.value["amount"] == 7


async def test_the_token_is_read_at_each_call_and_goes_along(stock: Stock, tmp_path: Path) -> None:
    secret = tmp_path / "stock" / "token"
    secret.parent.mkdir()
    secret.write_text("first")
    authentication = {"secretRef": {"name": "stock"}}
    async with bound(stock.port, secrets=tmp_path, authentication=authentication) as tool:
        await tool.call({"item": "a"}, WHO)
        secret.write_text("the second")
        await tool.call({"item": "a"}, WHO)
    sent = [each["metadata"]["authorization"] for each in stock.asked]
    assert sent == ["Bearer first", "Bearer the second"]


async def test_a_host_that_is_not_listed_is_never_connected_to(stock: Stock) -> None:
    result = await call(stock.port, {"item": "a"}, allowed="another-host")
    assert result.error
    assert "refused" in result.value
    assert stock.asked == []
