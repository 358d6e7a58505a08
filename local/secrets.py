"""The local platform's secrets: made once per checkout, in files that only their owner reads."""

import json
import os
import secrets as randomness
from pathlib import Path

PASSWORDS = ("session-store-password", "ticketing-token")
API_KEYS = {"gateway-api-key-demo": "sk-demo-", "gateway-api-key-agents": "sk-agents-"}
SIGNING_KEY = "jwt-signing-key.json"
KEY_SET = "jwks.json"
ISSUER = "https://issuer.local"
AUDIENCE = "agents"


def _write(path: Path, text: str) -> None:
    """Whole or not at all: what is there stays, so half a password would stay for ever."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.rename(path)


def ensure(folder: Path) -> None:
    """Make each missing secret; existing ones stay, so that a second run changes nothing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in PASSWORDS:
        if not (folder / name).exists():
            _write(folder / name, randomness.token_urlsafe(24))
    for name, prefix in API_KEYS.items():
        if not (folder / name).exists():
            _write(folder / name, prefix + randomness.token_urlsafe(24))
    if not (folder / SIGNING_KEY).exists() or not (folder / KEY_SET).exists():
        _signing_key(folder)


def _signing_key(folder: Path) -> None:
    from joserfc.jwk import ECKey

    key = ECKey.generate_key(
        "P-256", {"kid": randomness.token_hex(4), "alg": "ES256", "use": "sig"}
    )
    # A key set beside another key's signatures would refuse every token.
    (folder / KEY_SET).unlink(missing_ok=True)
    _write(folder / SIGNING_KEY, json.dumps(key.as_dict(private=True)))
    _write(folder / KEY_SET, json.dumps({"keys": [key.as_dict(private=False)]}))


def mint(folder: Path, *, tenant: str, lifetime_seconds: int, now: int) -> str:
    """A JWT of `tenant`, signed with the checkout's own key; times are Unix seconds."""
    from joserfc import jwt
    from joserfc.jwk import ECKey

    key = ECKey.import_key(json.loads((folder / SIGNING_KEY).read_text()))
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"user@{tenant}",
        "tenant": tenant,
        "roles": ["user"],
        "iat": now,
        "exp": now + lifetime_seconds,
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
