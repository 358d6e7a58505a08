"""The kubeconfig's command, run by the real AWS CLI; moto's server stands in for AWS."""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from components.kubeconfig import exec_kubeconfig
from tests.harness.aws_cli import aws_server, folder

pytestmark = [pytest.mark.services, pytest.mark.slow]

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/platform-admin"
CI_ROLE = "arn:aws:iam::123456789012:role/ci"
AMBIENT_REGION = "us-east-1"
PREFIX = "k8s-aws-v1."


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with aws_server() as address:
        yield address


def profile(home: Path) -> dict[str, str]:
    """What a person has who logged in."""
    (home / "credentials").write_text(
        "[work]\naws_access_key_id = AKIAPERSON\naws_secret_access_key = of-a-person\n"
    )
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_PROFILE": "work",
    }


def oidc(home: Path) -> dict[str, str]:
    """What a CI job has: a token of its forge, and a role that trusts the forge."""
    (home / "token").write_text("a.token.of-the-forge")
    return {
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "token"),
        "AWS_ROLE_ARN": CI_ROLE,
        "AWS_ROLE_SESSION_NAME": "ci",
    }


def run(home: Path, server: str, credentials: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command as a Kubernetes client starts it, in a shell that points elsewhere."""
    endpoint = {"server": "https://x", "certificate-authority-data": "QQ=="}
    text = exec_kubeconfig(endpoint, cluster="ai-cluster", region=REGION, role_arn=ROLE)
    command = json.loads(text)["users"][0]["user"]["exec"]
    environment = {
        "PATH": f"{folder()}:/usr/bin:/bin",
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-credentials"),
        "AWS_DEFAULT_REGION": AMBIENT_REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": server,
    }
    return subprocess.run(
        [command["command"], *command["args"]],
        env=environment | credentials,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("credentials", [profile, oidc])
def test_whoever_may_assume_the_role_gets_a_token_as_the_role(
    credentials: Callable[[Path], dict[str, str]], server: str, tmp_path: Path
) -> None:
    done = run(tmp_path, server, credentials(tmp_path))
    assert done.returncode == 0, done.stderr
    token = json.loads(done.stdout)["status"]["token"]
    assert token.startswith(PREFIX)
    encoded = token.removeprefix(PREFIX)
    signed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    query = parse_qs(urlsplit(signed).query)
    assert "x-k8s-aws-id" in query["X-Amz-SignedHeaders"][0].split(";")
    (credential,) = query["X-Amz-Credential"]
    assert credential.split("/")[2] == REGION
    # EKS sends the signed question on, and lets in whom AWS names. moto looks for the key in a
    # header only, and checks no signature.
    named = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, Signature=0"}
    answer = httpx.get(signed, headers=named | {"x-k8s-aws-id": "ai-cluster"})
    assert ":assumed-role/platform-admin/" in answer.text


def test_nobody_gets_a_reason_and_no_token(server: str, tmp_path: Path) -> None:
    done = run(tmp_path, server, {})
    assert done.returncode != 0
    assert "credentials" in done.stderr
    assert done.stdout == ""
