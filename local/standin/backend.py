"""Which backend the engine works against; the stand-ins serve files alone."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

ALLOWED = "file://"


def current_backend(environment: Mapping[str, str] = os.environ) -> str | None:
    """The backend's URL as the engine finds it: its variable, else the login kept in its home."""
    if url := environment.get("PULUMI_BACKEND_URL"):
        return url
    home = environment.get("PULUMI_HOME") or str(Path(environment.get("HOME", "/")) / ".pulumi")
    try:
        kept = json.loads((Path(home) / "credentials.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(kept.get("current") or "") or None


def refusal(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Why a stand-in will not serve this engine; None when it will.

    State that a stand-in wrote must never meet a real plugin; a shared backend is where they meet.
    """
    url = current_backend(environment)
    if url is not None and url.startswith(ALLOWED):
        return None
    return (
        f"{name}: this is a stand-in and serves file:// backends only, not {_shown(url)}: "
        f'run `eval "$(make -s env)"` first, or install the real Pulumi plugins'
    )


def _shown(url: str | None) -> str:
    """A URL may carry credentials, so only its scheme and host are shown."""
    if url is None:
        return "an unknown one (no PULUMI_BACKEND_URL, no login)"
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/')[0].rsplit('@', 1)[-1].split('?')[0]}"
