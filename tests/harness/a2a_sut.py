"""The agent as the compatibility kit of A2A (TCK) tests it: `python -m tests.harness.a2a_sut`.

The kit names what it wants the agent to do in the ids of its messages. Our agents read texts only,
so this process alone puts the id before the text; all else is what every agent runs. The model is
a scripted one. With the argument `0.3` the card is written in that version's form, which that
version's kit insists on; agents themselves serve the 1.0 card. Prints the address, and serves until
it is stopped.
"""

import signal
import sys
from typing import Any

from a2a.types.a2a_pb2 import Message

from agent_runtime.api import a2a, a2a_handler
from agent_runtime.api.agent_card import agent_card
from tests.harness.agent import serving_agent
from tests.harness.scripted_model import scripted_model

LONG_SECONDS = 20
"""Longer than the kit listens to a stream before it subscribes again."""
AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: sut}
spec:
  model: {name: scripted}
  tools:
    - {name: ask-person, type: human, config: {kind: input, prompt: "Which one?"}}
"""


def says(prefix: str, text: str, **more: Any) -> dict[str, Any]:
    return {"name": prefix, "when": {"user": prefix}, "reply": {"text": text, **more}}


RULES = [
    {
        "name": "asks",
        "when": {"user": "input-required"},
        "reply": {"toolCalls": [{"name": "ask-person", "arguments": {"question": "Which one?"}}]},
    },
    says("test-resubscribe-message-id", "done at last", delaySeconds=LONG_SECONDS),
    says("tck-artifact-text", "Generated text content"),
    says("tck-stream-artifact-text", "Streamed text content"),
    says("tck-stream-artifact-chunked", "chunk-1 chunk-2"),
    says("tck-stream", "Stream hello from TCK"),
    {"name": "answered", "when": {"after": "any"}, "reply": {"text": "thank you"}},
    {"name": "else", "reply": {"text": "Hello from TCK"}},
]


def old_card(*given: Any, url: str, **more: Any) -> dict[str, Any]:
    """The card as 0.3 has it."""
    card = agent_card(*given, url=url, **more)
    del card["supportedInterfaces"]
    capabilities = {**card["capabilities"]}
    del capabilities["extendedAgentCard"]
    wire = {"protocolVersion": "0.3.0", "preferredTransport": "JSONRPC", "url": url}
    return {**card, **wire, "capabilities": capabilities}


def main() -> None:
    if sys.argv[1:] == ["0.3"]:
        vars(a2a)["agent_card"] = old_card
    read = a2a_handler._text

    def read_with_id(message: Message) -> str:
        return f"{message.message_id} {read(message)}"

    a2a_handler._text = read_with_id
    with (
        scripted_model(RULES) as model,
        serving_agent(AGENT, auth="none", model_base_url=model.base_url) as agent,
    ):
        sys.stdout.write(f"{agent.url}\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
