"""The bearer token of a tool, as a mounted file."""

from pathlib import Path

from agent_runtime.secret_file import SecretFile
from agents.tool import Authentication

MASK = "[redacted]"


def credential(authentication: Authentication | None, secrets_dir: Path) -> SecretFile | None:
    """The file of the tool's secret; read at each call, since it may be rotated."""
    if authentication is None:
        return None
    reference = authentication.secret_ref
    return SecretFile(secrets_dir / reference.name / reference.key)


def masked(text: str, token: SecretFile | None) -> str:
    """What a service answered, without the token: one that echoes its request would otherwise put
    the token before the model."""
    return text.replace(token.read(), MASK) if token else text
