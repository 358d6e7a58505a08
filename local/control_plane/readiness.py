"""Asking the control plane's programs whether they serve."""

import ssl
from collections.abc import Callable

import httpx

from local.control_plane.pki import Pki

TIMEOUT_SECONDS = 2.0


def answers(url: str, pki: Pki, *, client_certificate: bool = False) -> Callable[[], bool]:
    """A check that is true while `url` answers 200 under the platform's CA; it never raises."""
    context: list[ssl.SSLContext] = []

    def check() -> bool:
        if not context:
            # Reading the files waits until the first check: they are made before the start.
            made = ssl.create_default_context(cafile=str(pki.ca))
            if client_certificate:
                made.load_cert_chain(pki.certificate("etcd"), pki.key("etcd"))
            context.append(made)
        try:
            answer = httpx.get(url, verify=context[0], timeout=TIMEOUT_SECONDS, trust_env=False)
        except (httpx.TransportError, ssl.SSLError):
            return False
        return answer.status_code == httpx.codes.OK

    return check
