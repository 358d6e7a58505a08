"""What we hand to vLLM, judged by vLLM itself: its parser, and a server with a tiny model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from components.model_scaler import CACHE_METRICS, QUEUE_METRICS
from inference import vllm
from inference.adapter import Adapter
from inference.catalog import ModelSpec, default_catalog
from inference.engine_flags import known_flags
from inference.options import Options
from tests.harness import vllm as real

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(1500)]

TOOL = {
    "type": "function",
    "function": {
        "name": "create_ticket",
        "description": "opens a ticket",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"urgent": {"type": "boolean"}},
            "required": ["urgent"],
            "additionalProperties": False,
        },
    },
}
WITHOUT_WHITESPACE = {"backend": "xgrammar", "disable_any_whitespace": True}
TINY = ModelSpec(
    name="tiny",
    repository="tests/tiny",
    source="https://example.com/tiny",
    license="none",
    layers=2,
    hidden_size=64,
    heads=4,
    kv_heads=2,
    head_size=32,
    feed_forward_size=128,
    vocabulary=320,
    context_tokens=2048,
    parameters=200_000,
    tool_parser="hermes",
)


@pytest.fixture(scope="module")
def python() -> Path:
    return real.interpreter()


@pytest.fixture(scope="module")
def url(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = real.write_tiny_model(python, tmp_path_factory.mktemp("tiny"))
    options = Options(
        served_names=("gpt-4", "tiny"),
        source=str(folder),
        # random numbers would fill an answer with the whitespace that JSON allows
        extra_args=(
            *("--enforce-eager", "--dtype", "bfloat16"),
            *("--structured-outputs-config", json.dumps(WITHOUT_WHITESPACE)),
        ),
    )
    args = vllm.serving(TINY, options).args
    with real.serving(python, args, folder / "vllm.log") as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def test_the_engines_parser_takes_what_we_render(python: Path) -> None:
    models = [m for m in default_catalog().models if not m.repository.startswith("pypi:")]
    adapter = {"support": Adapter(repository="acme/lora", base="qwen3-8b", rank=32)}
    big = default_catalog().find("llama-3.1-405b-instruct")
    commands = [
        *(vllm.serving(model, Options(gpus=1)).args for model in models),
        vllm.serving(default_catalog().find("qwen3-8b"), Options(adapters=adapter)).args,
        vllm.serving(big, Options(gpus=8, nodes=2, kv_type="fp8", max_sequences=64)).args,
        vllm.worker(big, Options(gpus=8, nodes=2, quantization="fp8")).args,
        vllm.serving(big, Options(gpus=8, source="s3://bucket/big")).args,
    ]
    assert real.engine_flags(python, *commands) == known_flags("vllm")


def test_a_chat_is_answered_under_every_served_name(client: OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"gpt-4", "tiny"}
    for name in ("gpt-4", "tiny"):
        answer = client.chat.completions.create(
            model=name, messages=[{"role": "user", "content": "hello"}], max_tokens=8
        )
        assert answer.usage is not None
        assert 1 <= answer.usage.completion_tokens <= 8


def test_a_stream_comes_in_pieces(client: OpenAI) -> None:
    pieces = list(
        client.chat.completions.create(
            model="gpt-4",
            messages=[{"role": "user", "content": "hello"}],
            max_tokens=12,
            stream=True,
            extra_body={"ignore_eos": True},
        )
    )
    assert len(pieces) > 3
    assert pieces[-1].choices[0].finish_reason == "length"


def test_a_forced_tool_call_has_arguments_of_its_schema(client: OpenAI) -> None:
    tools: Any = [TOOL]
    answer = client.chat.completions.create(
        model="gpt-4",
        messages=[{"role": "user", "content": "open a ticket"}],
        tools=tools,
        tool_choice={"type": "function", "function": {"name": "create_ticket"}},
        max_tokens=1200,
    )
    assert answer.choices[0].message.tool_calls, answer
    (call,) = answer.choices[0].message.tool_calls
    assert call.type == "function"
    assert call.function.name == "create_ticket"
    assert set(json.loads(call.function.arguments)) == {"urgent"}


def test_the_metrics_that_scaling_asks_for_are_there(url: str) -> None:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    for name in (QUEUE_METRICS["vllm"], CACHE_METRICS["vllm"], "vllm:time_to_first_token_seconds"):
        assert any(line.startswith(name) for line in text.splitlines()), f"no {name}"
