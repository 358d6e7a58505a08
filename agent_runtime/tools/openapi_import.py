"""Tools whose functions are the operations of an OpenAPI document."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import httpx
import yaml

from agent_runtime.tools.address_guard import ForbiddenAddressError
from agent_runtime.tools.api_call import ApiCall
from agent_runtime.tools.failures import ToolImportError
from agent_runtime.tools.guarded_http import GuardedClient, limited
from agent_runtime.tools.port import BoundTool
from agents.openapi import OpenApiError, imported
from agents.tool import OpenApiTool

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024


class OpenApiImport:
    """Reads the document once, from the tool itself, a mounted file or a URL."""

    def __init__(self, tool: OpenApiTool, *, http: GuardedClient, secrets_dir: Path) -> None:
        self._tool = tool
        self._http = http
        self._secrets_dir = secrets_dir

    async def load(self) -> list[BoundTool]:
        """Raises ToolImportError."""
        document = self._tool.config.inline
        if document is None:
            document = _parsed(await self._content(str(self._tool.config.document)))
        try:
            tools = imported(self._tool, document)
        except (OpenApiError, RecursionError) as error:
            raise ToolImportError(f"{self._tool.name}: {error}") from None
        return [ApiCall(each, http=self._http, secrets_dir=self._secrets_dir) for each in tools]

    async def _content(self, place: str) -> bytes:
        try:
            if "://" in place:
                content = await self._fetched(place)
            else:
                content = await asyncio.to_thread(Path(place).read_bytes)
        except (OSError, httpx.HTTPError, ForbiddenAddressError) as error:
            text = f"{self._tool.name}: {place} can't be read ({type(error).__name__})"
            raise ToolImportError(text) from None
        if len(content) > MAX_DOCUMENT_BYTES:
            raise ToolImportError(f"{self._tool.name}: {place} is longer than 4 MiB")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if self._tool.config.digest not in (None, digest):
            raise ToolImportError(f"{self._tool.name}: {place} has the digest {digest}")
        return content

    async def _fetched(self, url: str) -> bytes:
        response = await self._http.send(self._http.build_request("GET", url), stream=True)
        try:
            response.raise_for_status()
            return (await limited(response, MAX_DOCUMENT_BYTES + 1))[0]
        finally:
            await response.aclose()


def _parsed(content: bytes) -> Any:
    """JSON is YAML too; aliases, which could multiply, are refused."""
    try:
        text = content.decode("utf-8")
        if any(isinstance(each, yaml.AliasEvent) for each in yaml.parse(text, yaml.CSafeLoader)):
            raise ToolImportError("the OpenAPI document holds YAML aliases")
        return yaml.load(text, yaml.CSafeLoader)  # the safe loader, in C
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ToolImportError(f"the OpenAPI document can't be read: {error}"[:300]) from None
