"""What kagent's controller tells a Pod that it manages; without it nothing is mirrored."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class KagentSettings(BaseSettings):
    """Variables `KAGENT_<FIELD>`, injected by the controller behind the Agent's own."""

    model_config = SettingsConfigDict(
        env_prefix="KAGENT_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
    )

    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    """Of the controller's API."""
    name: str = ""
    """Of the Agent object."""
    namespace: str = ""
    token_file: Path = Path("/var/run/secrets/tokens/kagent-token")
    """Projected for the audience `kagent` and rotated; may be missing."""

    @property
    def agent_ref(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def agent_id(self) -> str:
        """How the controller's database names the agent: an identifier of Python."""
        return self.agent_ref.replace("-", "_").replace("/", "__NS__")
