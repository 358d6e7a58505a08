"""How long to wait before a failed call is made again."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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


def retry_after(value: str | None) -> tuple[float | None, bool]:
    """What a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date).

    The seconds, None without a usable header; and whether that is short enough to wait for.
    """
    if value is None:
        return None, True
    text = value.strip()
    if text.isdigit() and text.isascii():
        seconds = float(text)
    else:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None, True
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = max(0.0, (at - datetime.now(UTC)).total_seconds())
    return seconds, seconds <= MAX_RETRY_AFTER_SECONDS
