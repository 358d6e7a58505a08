"""Asking AWS beside Pulumi, for commands of people and CI: one session, errors in one line.

Credentials are the caller's (environment, profile, SSO, OIDC or instance role, as the AWS CLI
finds them); none is read from a stack file, kept or printed.
"""

from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 5
CLIENT = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    user_agent_appid="agentic-platform",
)
AWS_ERRORS = (BotoCoreError, ClientError)
"""What a call may raise; `explain` makes a line of each."""

_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
    }
)
_NO_LONGER_VALID = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId"}
    | {"AuthFailure", "UnrecognizedClientException", "SignatureDoesNotMatch"}
)
_NO_SESSION = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_WAY_OUT = "run `aws sso login` or set AWS_PROFILE, and try again"


class AwsSessionError(Exception):
    """Nothing can be asked at all; the text is one line for a person."""


class AwsSession:
    """One caller in one region; clients are made once each."""

    def __init__(self, *, region: str, profile: str | None = None) -> None:
        """Asks nothing yet; AwsSessionError when the profile does not exist."""
        self.region = region
        try:
            self._session = boto3.Session(region_name=region, profile_name=profile)
        except ProfileNotFound as error:
            raise AwsSessionError(f"{error}; allowed are profiles of ~/.aws/config") from None
        self._clients: dict[str, Any] = {}
        self._caller: dict[str, str] | None = None
        # making a client is what boto3 does not do from several threads
        self._making = Lock()

    def client(self, service: str) -> Any:
        """A client that retries throttling and gives up on silence within a minute."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, config=CLIENT)
            return self._clients[service]

    def caller(self) -> dict[str, str]:
        """`Account` and `Arn` of who asks, asked once; AwsSessionError when nobody does."""
        if self._caller is None:
            try:
                found = self.client("sts").get_caller_identity()
            except AWS_ERRORS as error:
                raise AwsSessionError(explain(error)) from None
            self._caller = {"Account": found["Account"], "Arn": found["Arn"]}
        return self._caller


def code_of(error: Exception) -> str:
    """AWS's own code, such as `ResourceNotFoundException`; empty for what is no answer of AWS."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def is_denied(error: Exception) -> bool:
    """Whether the caller lacks a permission, and nothing else is wrong."""
    return code_of(error) in _DENIED


def explain(error: Exception) -> str:
    """One line: what was asked, what AWS said, the way out; never a credential."""
    if isinstance(error, _NO_SESSION) or code_of(error) in _NO_LONGER_VALID:
        return f"no valid AWS credentials ({_short(error)}); {_WAY_OUT}"
    if isinstance(error, NoRegionError):
        return "no AWS region; set 'aws:region' in the stack file"
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ReadTimeoutError):
        return f"AWS does not answer ({_short(error)}); check network, proxy and aws:region"
    if isinstance(error, ClientError):
        asked = error.operation_name
        if is_denied(error):
            return f"the caller may not {asked}; add that permission or ask as another role"
        return f"{asked}: {_short(error)}"
    return _short(error)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
