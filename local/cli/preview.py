"""`make preview STACK=…`: what a stack would make, checked without cloud or credentials."""

import argparse
from pathlib import Path

from local.cli.deployment import stack_file
from local.paths import Cache
from local.preview import preview
from local.preview.policies import Policies
from local.report import Progress, UserError
from local.toolchain import PLATFORM_TOOLS, ensure
from local.toolchain.policy_pack import POLICIES, ensure_environment


def run(arguments: argparse.Namespace) -> int:
    """Print the preview; the exit code is 1 when the engine or the API server refused something."""
    cache = Cache.default()
    file = stack_file(arguments.stack, arguments.config_file).absolute()
    progress = Progress(as_json=arguments.json)
    with progress:
        tools = ensure(PLATFORM_TOOLS, cache, progress)
        policies = _policies(arguments, cache, progress)
        outcome = preview(arguments.stack, file, tools, cache, progress, policies=policies)
    print(outcome.json_text() if arguments.json else outcome.text())
    if arguments.markdown:
        Path(arguments.markdown).write_text(outcome.markdown())
    return 0 if outcome.ok else 1


def _policies(arguments: argparse.Namespace, cache: Cache, progress: Progress) -> Policies | None:
    if not (arguments.policy or arguments.policy_config):
        return None
    with progress.step("the policy pack's environment"):
        ensure_environment(POLICIES, cache)
    given = arguments.policy_config
    config = Path(given).absolute() if given else None
    if config is not None and not config.is_file():
        raise UserError(f"--policy-config: no file {given}: docs/policies.md shows what goes in")
    return Policies(POLICIES, config)
