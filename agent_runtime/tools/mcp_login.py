"""How an MCP server is shown who calls: a mounted token, or one that an authorization server gives
for a mounted secret (OAuth client credentials)."""

import httpx2
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from agent_runtime.secret_file import SecretFile
from agent_runtime.tools.credential import MASK, masked
from agents.remote_tool import OAuthClient


class _Tokens:
    """The tokens of this process."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        raise NotImplementedError("a client that is not registered by itself")


class McpLogin:
    """The credential of one MCP tool."""

    def __init__(self, url: str, secret: SecretFile | None, client: OAuthClient | None) -> None:
        self._url = url
        self._secret = secret
        self._client = client
        self._given = _Tokens()

    @property
    def bearer(self) -> SecretFile | None:
        """What goes along with each request as it is."""
        return None if self._client else self._secret

    def flow(self) -> httpx2.Auth | None:
        """What asks for tokens, and for another one when the server wants it. The secret only goes
        to the issuer that the document names. Raises SecretUnavailableError."""
        if self._client is None or self._secret is None:
            return None
        return ClientCredentialsOAuthProvider(
            server_url=self._url,
            storage=self._given,
            client_id=self._client.client_id,
            client_secret=self._secret.read(),
            scope=self._client.scope,
            issuer=self._client.issuer,
        )

    def hidden(self, text: str) -> str:
        """What a server answered, without anything that proves who calls."""
        text = masked(text, self._secret)
        tokens = self._given.tokens
        return text.replace(tokens.access_token, MASK) if tokens else text
