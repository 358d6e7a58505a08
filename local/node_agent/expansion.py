"""`$(NAME)` in commands, arguments and environment values.

Rules: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container
"""

import re
from collections.abc import Mapping, Sequence

_REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace each `$(NAME)` that is known; unknown ones stay, and `$$` is a plain `$`."""

    def value(found: re.Match[str]) -> str:
        if found.group(1) == "$":
            return "$"
        return variables.get(found.group(2), found.group(0))

    return _REFERENCE.sub(value, text)


def expand_all(texts: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    return [expand(text, variables) for text in texts]
