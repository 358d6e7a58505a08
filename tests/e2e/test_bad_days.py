"""What goes wrong for people: one clear line with the way out, healed by the next `make up`."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.harness.platform import CHECKOUT, Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr + done.stdout
    return [line for line in done.stderr.splitlines() if line.startswith("error: ")]


def test_an_unknown_stack_names_the_known_ones(tmp_path: Path) -> None:
    done = Platform(tmp_path / "state", tmp_path / "none").run("up", "--stack", "prodd")
    assert done.returncode == 2
    (line,) = lines(done)
    assert "prodd" in line
    assert "prod" in line.split("known stacks:")[1]


def test_five_mistakes_in_a_stack_file_are_five_lines(platform: Platform, tmp_path: Path) -> None:
    document = yaml.safe_load(platform.stack_file.read_text())
    data = document["config"]["agentic-platform:platform"]
    data["protetc"] = True
    data["environment"] = "Not A Word"
    data["gateway"]["port"] = "eighty"
    data["gateway"]["variant"] = "nginx"
    data["cluster"]["existing"]["contxt"] = "x"
    broken = tmp_path / "Pulumi.local.yaml"
    broken.write_text(yaml.safe_dump(document))
    done = platform.run("up", "--config-file", str(broken))
    assert done.returncode == 2
    found = lines(done)
    places = (
        "protetc",
        "environment",
        "gateway.port",
        "gateway.variant",
        "cluster.existing.contxt",
    )
    for place in places:
        assert sum(line.startswith(f"error: {place}") for line in found) == 1, (place, found)


def test_a_misspelt_key_in_an_agent_is_one_line(platform: Platform, tmp_path: Path) -> None:
    document = yaml.safe_load(platform.stack_file.read_text())
    agent = (CHECKOUT / "agents/samples/customer-support.yaml").read_text()
    (tmp_path / "agent.yaml").write_text(agent.replace("systemPrompt:", "systemPromt:"))
    text = yaml.safe_dump(document).replace(
        "agents/samples/customer-support.yaml", str(tmp_path / "agent.yaml")
    )
    (tmp_path / "Pulumi.local.yaml").write_text(text)
    done = platform.run("up", "--config-file", str(tmp_path / "Pulumi.local.yaml"))
    assert done.returncode == 2
    assert any("systemPromt" in line and "systemPrompt" in line for line in lines(done))


@contextmanager
def taken_gateway_port(platform: Platform, file: Path) -> Iterator[int]:
    """A stack file whose gateway port is held on every address of the machine, meanwhile."""
    document = yaml.safe_load(platform.stack_file.read_text())
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port: int = holder.getsockname()[1]
        document["config"]["agentic-platform:platform"]["gateway"]["port"] = port
        file.write_text(yaml.safe_dump(document))
        yield port


def test_a_taken_gateway_port_is_one_line_before_anything_is_changed(
    platform: Platform, tmp_path: Path
) -> None:
    state = {file: file.read_bytes() for file in (platform.state / "pulumi/state").rglob("*.json")}
    file = tmp_path / "Pulumi.local.yaml"
    with taken_gateway_port(platform, file) as port:
        done = platform.run("up", "--no-question", "--config-file", str(file))
    assert done.returncode == 2, done.stderr
    (line,) = lines(done)
    assert f":{port} is taken by" in line
    assert str(os.getpid()) in line
    assert state
    assert {file: file.read_bytes() for file in state} == state
    assert platform.json("status")["ready"]


@pytest.mark.slow
def test_a_first_up_that_met_a_taken_port_is_healed_when_it_is_free(
    fresh_platform: Platform,
) -> None:
    with taken_gateway_port(fresh_platform, fresh_platform.stack_file) as port:
        done = fresh_platform.run(
            "up", "--no-question", "--config-file", str(fresh_platform.stack_file)
        )
        assert done.returncode == 2, done.stderr
        assert any(f":{port}" in line for line in lines(done)), done.stderr
    assert fresh_platform.up("--no-question")["ready"]


def test_a_read_only_state_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = Platform(tmp_path / "file" / "state", tmp_path / "none").run("up")
    assert done.returncode == 2
    assert len(lines(done)) == 1


def test_commands_without_a_platform_say_how_to_start_one(tmp_path: Path) -> None:
    nowhere = Platform(tmp_path / "state", tmp_path / "none")
    for arguments in (("ask", "hello"), ("trace", "0" * 32), ("logs",), ("token",)):
        done = nowhere.run(*arguments)
        assert done.returncode == 2
        (line,) = lines(done)
        assert "make up" in line
    assert nowhere.run("down").returncode == 0
    assert nowhere.run("status").returncode == 3


@pytest.mark.slow
def test_up_interrupted_at_ten_random_moments_is_healed_by_the_next(
    fresh_platform: Platform,
) -> None:
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    # a shell's background job ignores Ctrl-C, and so would everything that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = fresh_platform.command("up", "--json", "--no-question")
    command += ["--config-file", str(fresh_platform.stack_file)]
    for number in range(10):
        process = subprocess.Popen(
            command,
            env=fresh_platform.environment,
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        kill = number % 3 == 2
        try:
            process.wait(moments.uniform(0.1, 14.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL if kill else signal.SIGINT)
        _, said = process.communicate(timeout=180)
        # before the first line of ours runs, Python itself tells an interrupt by a trace
        own = "Traceback" in said and "<frozen site>" not in said
        assert not own, f"seed {seed}, moment {number}: {said[-3000:]}"
        if not kill and process.returncode in (130, -signal.SIGINT):
            _assert_quiet(fresh_platform, f"seed {seed}, moment {number}")
    assert fresh_platform.up("--no-question")["ready"], f"seed {seed}"


def _assert_quiet(platform: Platform, where: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        strays: list[psutil.Process] = platform.processes()
        if not strays or platform.run("status").returncode in (0, 1):
            return
        time.sleep(0.2)
    pytest.fail(f"{where}: stray processes {strays}")
