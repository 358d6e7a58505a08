"""Tools that call one method of a gRPC service; needs the group `runtime-grpc` in the image."""

import asyncio
import base64
import binascii
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.telemetry.tracing import trace_headers
from agent_runtime.tools.address_guard import AddressGuard, ForbiddenAddressError
from agent_runtime.tools.credential import credential, masked
from agent_runtime.tools.grpc_schema import MethodTypes, SchemaError, by_descriptor, by_reflection
from agent_runtime.tools.port import CallContext, ToolResult, TransientToolError
from agents.json_path import select
from agents.tool import ApiTool


class GrpcCall:
    """One unary method; its messages are learnt once, from the server or from a descriptor set."""

    def __init__(self, tool: ApiTool, *, guard: AddressGuard, secrets_dir: Path) -> None:
        self._tool = tool
        self._guard = guard
        self._token = credential(tool.authentication, secrets_dir)
        parts = urlsplit(tool.config.endpoint)
        self._service, _, self._method = parts.path.strip("/").partition("/")
        self._types: MethodTypes | None = None
        self._channels: dict[str, Any] = {}

    @property
    def tool(self) -> ApiTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        try:
            import grpc
        except ImportError:
            text = "this image has no gRPC: it is built without the group runtime-grpc"
            return ToolResult(text, error=True)
        seconds = context.seconds(self._tool.timeout_seconds)
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(arguments, context, seconds)
        except ForbiddenAddressError as error:
            return ToolResult(f"refused: {error}", error=True)
        except SecretUnavailableError:
            return ToolResult("the tool's credential is not available", error=True)
        except SchemaError as error:
            return ToolResult(str(error), error=True)
        except TimeoutError:
            return ToolResult(f"no answer within {self._tool.config.timeout}", error=True)
        except grpc.aio.AioRpcError as error:
            return self._failed(error)

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()

    async def _answer(
        self, arguments: dict[str, Any], context: CallContext, seconds: float
    ) -> ToolResult:
        from google.protobuf import json_format

        channel = await self._channel()
        types = await self._method_types(channel)
        request = types.request()
        try:
            json_format.ParseDict(arguments, request)
        except json_format.ParseError as error:
            return ToolResult(f"the arguments do not fit: {str(error)[:500]}", error=True)
        ask = channel.unary_unary(
            f"/{self._service}/{self._method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=types.response.FromString,
        )
        answer = await ask(request, timeout=seconds, metadata=self._metadata(context))
        value = json_format.MessageToDict(answer, preserving_proto_field_name=True)
        text = masked(json.dumps(value, ensure_ascii=False), self._token)
        limit = self._tool.config.max_response_bytes
        if len(text.encode()) > limit:
            return ToolResult({"text": text[:limit], "cut": True})
        path, value = self._tool.config.select, json.loads(text)
        return ToolResult(select(path, value) if path else value)

    def _metadata(self, context: CallContext) -> tuple[tuple[str, str], ...]:
        values = {**trace_headers(), "idempotency-key": context.idempotency_key}
        if self._token:
            values["authorization"] = f"Bearer {self._token.read()}"
        return tuple(values.items())

    async def _channel(self) -> Any:
        """A channel to the checked address that still names the host, to the server and to TLS."""
        import grpc

        pinned = await self._guard.check(self._tool.config.endpoint)
        host = f"[{pinned.address}]" if ":" in pinned.address else pinned.address
        if pinned.address not in self._channels:
            await self.close()
            options = [
                ("grpc.max_receive_message_length", 4 * self._tool.config.max_response_bytes),
                ("grpc.enable_http_proxy", 0),
                ("grpc.enable_retries", 0),
                ("grpc.default_authority", f"{pinned.host}:{pinned.port}"),
            ]
            if pinned.scheme == "grpcs":
                options.append(("grpc.ssl_target_name_override", pinned.host))
                secured = grpc.ssl_channel_credentials()
                channel = grpc.aio.secure_channel(f"{host}:{pinned.port}", secured, options)
            else:
                channel = grpc.aio.insecure_channel(f"{host}:{pinned.port}", options)
            self._channels[pinned.address] = channel
        return self._channels[pinned.address]

    async def _method_types(self, channel: Any) -> MethodTypes:
        if self._types is None:
            given = self._tool.config.descriptor_set
            if given is None:
                self._types = await by_reflection(channel, self._service, self._method)
            else:
                content = await asyncio.to_thread(_descriptor, given)
                self._types = by_descriptor(content, self._service, self._method)
        return self._types

    def _failed(self, error: Any) -> ToolResult:
        import grpc

        code, details = error.code(), masked(str(error.details()), self._token)[:1000]
        if code is grpc.StatusCode.UNAVAILABLE and self._tool.idempotent:
            raise TransientToolError(f"{self._tool.name} is unavailable: {details}")
        text = f"{code.name}: {details}"
        lost = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        if code in lost and not self._tool.idempotent:
            text += "; whether it took effect is unknown"
        return ToolResult(text, error=True)


def _descriptor(given: str) -> bytes:
    try:
        return Path(given).read_bytes() if given.startswith("/") else base64.b64decode(given)
    except (OSError, binascii.Error) as error:
        raise SchemaError(f"the descriptor set can't be read ({type(error).__name__})") from None
