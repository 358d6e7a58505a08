"""Answers `aws eks get-token` with the token of the API server that takes recorded clusters."""

import json
import os
import sys
from pathlib import Path

from local.kubeconfig import Kubeconfig
from local.standin.kubernetes.cluster import OVERRIDE


def main(arguments: list[str]) -> int:
    """Prints an ExecCredential; returns the exit code."""
    if arguments[:2] != ["eks", "get-token"]:
        print(
            f"aws: stand-in, knows `eks get-token` only, not {' '.join(arguments[:2])!r}",
            file=sys.stderr,
        )
        return 1
    login = Kubeconfig.read(Path(os.environ[OVERRIDE]))
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "kind": "ExecCredential",
        "status": {"token": login.token},
    }
    print(json.dumps(credential))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
