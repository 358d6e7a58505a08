"""How long to wait before a failed call is made again."""

import random

ATTEMPTS = 3
BASE_SECONDS = 0.25
CAP_SECONDS = 8.0
MAX_RETRY_AFTER_SECONDS = 20.0


def full_jitter(attempt: int) -> float:
    """Seconds before attempt number `attempt` + 1 (from 1): uniform up to an exponential bound.

    Full jitter, as in the AWS Architecture Blog's "Exponential Backoff And Jitter".
    """
    bound = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** (attempt - 1))
    return random.uniform(0, bound)  # noqa: S311 # spreads load, guards nothing


def retry_after(value: str | None) -> float | None:
    """Seconds asked for by a Retry-After header; None without a usable one."""
    if value is None or not value.strip().isdigit():
        return None
    return min(float(value), MAX_RETRY_AFTER_SECONDS)
