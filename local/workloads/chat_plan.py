"""From a chat request to prompts: choose a tool and fill it in, or answer."""

import json
from dataclasses import dataclass
from typing import Protocol

from local.workloads.base_model_prompts import (
    NO_TOOL,
    Passage,
    Prompt,
    answer_from,
    chat,
    choose_tool,
    fill_arguments,
    read_result,
    report_on,
)
from local.workloads.llama_engine import Piece
from local.workloads.openai_shapes import Call, ChatRequest, FunctionSpec
from local.workloads.tool_arguments import arguments_of

MOST_TOOLS = 16


class Completer(Protocol):
    """What plans are carried out with."""

    async def complete(self, prompt: Prompt, *, temperature: float, tokens: int) -> Piece: ...


@dataclass(frozen=True)
class Plan:
    """A call that is ready, or a prompt whose answer is the reply; and the tokens spent so far."""

    call: Call | None
    prompt: Prompt | None
    prompt_tokens: int = 0
    completion_tokens: int = 0


def offered(request: ChatRequest) -> tuple[list[FunctionSpec], bool]:
    """The tools that may be called, and whether one must be, by `tool_choice`."""
    tools = [tool.function for tool in request.tools][:MOST_TOOLS]
    choice = request.tool_choice
    if choice == "none":
        return [], False
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        name = choice["function"].get("name")
        return [tool for tool in tools if tool.name == name], True
    return tools, choice == "required"


def reply_prompt(request: ChatRequest) -> Prompt:
    """How to answer in words: from tool results when there are some, else as a conversation."""
    results = request.results_since_user()
    if not results:
        return chat(request.messages)
    passages: list[Passage] = []
    for result in results:
        passages += read_result(result.text)[0]
    if passages:
        return answer_from(request.last_user_text(), passages)
    last = results[-1]
    return report_on(request.called_tool(last) or "tool", read_result(last.text)[1])


async def make_plan(request: ChatRequest, engine: Completer) -> Plan:
    """Decide what the reply is; asks the model which tool, when the user spoke last."""
    tools, must = offered(request)
    message = request.last_user_text()
    if request.results_since_user() or not tools or not message.strip():
        return Plan(None, reply_prompt(request))
    chosen = tools[0]
    spent = [Piece("")]
    if len(tools) > 1 or not must:
        spent.append(
            await engine.complete(choose_tool(message, tools, must=must), temperature=0, tokens=24)
        )
        name = spent[-1].text.strip()
        if name == NO_TOOL and not must:
            return Plan(None, reply_prompt(request), *_sum(spent))
        chosen = next((tool for tool in tools if tool.name == name), tools[0])
    arguments = arguments_of(chosen)
    prompt = fill_arguments(message, chosen, arguments)
    spent.append(await engine.complete(prompt, temperature=0, tokens=prompt.tokens))
    try:
        values = json.loads(spent[-1].text)
    except ValueError:
        # The token limit cut the object; the message itself is the best argument there is.
        values = {each.name: each.example(message.strip()) for each in arguments}
    return Plan(Call(chosen.name, values), None, *_sum(spent))


def _sum(pieces: list[Piece]) -> tuple[int, int]:
    prompt = sum(piece.prompt_tokens for piece in pieces)
    return prompt, sum(piece.completion_tokens for piece in pieces)
