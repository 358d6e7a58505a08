"""The command `bootstrap-milvus`."""

import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from agent_runtime.memory.milvus_bootstrap import MilvusBootstrap, Outcome, ServerError
from agent_runtime.memory.milvus_plan import PlanError, read_plan
from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.settings import Settings

OK, MISTAKE, DRIFT, UNREACHABLE = 0, 2, 3, 4
"""Exit statuses; only the last may become another by trying again."""


def bootstrap_milvus(settings: Settings, plan_file: Path, *, as_json: bool) -> int:
    """Carry out a plan; the exit status."""
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    try:
        bootstrap = MilvusBootstrap(
            read_plan(plan_file),
            settings.milvus_url,
            secrets=settings.secrets_dir,
            ca_file=settings.milvus_ca_file,
        )
        outcome = bootstrap.run()
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


def _tell(outcome: Outcome) -> None:
    lines = [f"made: {each}" for each in outcome.made]
    lines += [f"there: {each}" for each in outcome.kept]
    lines.append(f"tenants are kept apart by the {outcome.isolation}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stderr.write("".join(f"differs: {line}\n" for line in outcome.drift))
    if outcome.drift:
        sys.stderr.write("nothing was changed there: load into a new collection, then switch\n")
