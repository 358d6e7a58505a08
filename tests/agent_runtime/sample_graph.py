"""A compiled graph as a tenant would write it."""

from typing import Any

from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt


def think(state: MessagesState) -> dict[str, Any]:
    asked = str(state["messages"][-1].content)
    if "decide" in asked:
        decision = interrupt({"question": asked})
        word = "yes" if decision["approved"] else "no"
        return {"messages": [AIMessage(f"A person says {word}: {decision['answer']}")]}
    return {"messages": [AIMessage(f"{len(state['messages'])} messages; last: {asked}")]}


builder = StateGraph(MessagesState)
builder.add_node("think", think)
builder.add_edge(START, "think")
builder.add_edge("think", END)
graph = builder.compile()
