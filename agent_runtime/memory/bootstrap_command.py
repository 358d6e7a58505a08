"""The command `bootstrap-milvus`."""

import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path

from agent_runtime.memory.milvus_bootstrap import (
    MilvusBootstrap,
    Outcome,
    ServerError,
    UnreachableError,
)
from agent_runtime.memory.milvus_plan import MilvusPlan, PlanError, read_plan
from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.settings import Settings

OK, MISTAKE, DRIFT, UNREACHABLE = 0, 2, 3, 4
"""Exit statuses; only the last may become another by trying again."""
PAUSE_SECONDS = 0.5


def bootstrap_milvus(
    settings: Settings, plan_file: Path, *, as_json: bool, patience: float = 0.0
) -> int:
    """Carry out a plan; the exit status. `patience`: seconds that the server may take to answer."""
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    try:
        outcome = _carried_out(read_plan(plan_file), settings, patience=patience)
    except (PlanError, SecretUnavailableError) as error:
        sys.stderr.write(f"{error}\n")
        return MISTAKE
    except ServerError as error:
        sys.stderr.write(f"{error}\n")
        return UNREACHABLE
    if as_json:
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
    else:
        _tell(outcome)
    return DRIFT if outcome.drift else OK


def _carried_out(plan: MilvusPlan, settings: Settings, *, patience: float) -> Outcome:
    until = time.monotonic() + patience
    while True:
        try:
            return MilvusBootstrap(
                plan,
                settings.milvus_url,
                secrets=settings.secrets_dir,
                ca_file=settings.milvus_ca_file,
            ).run()
        except UnreachableError:
            if time.monotonic() >= until:
                raise
            time.sleep(PAUSE_SECONDS)


def _tell(outcome: Outcome) -> None:
    lines = [f"made: {each}" for each in outcome.made]
    lines += [f"there: {each}" for each in outcome.kept]
    lines.append(f"tenants are kept apart by the {outcome.isolation}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stderr.write("".join(f"differs: {line}\n" for line in outcome.drift))
    if outcome.drift:
        sys.stderr.write("nothing was changed there: load into a new collection, then switch\n")
