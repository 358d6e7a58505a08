"""A crew as a tenant would write it: two tasks, on the model behind the gateway."""

import os

from crewai import (  # type: ignore[import-not-found] # has an environment of its own
    LLM,
    Agent,
    Crew,
    Task,
)

model = LLM(
    model="openai/scripted",
    base_url=os.environ["AGENT_MODEL_BASE_URL"],
    api_key="unused",
    temperature=0,
)
writer = Agent(role="writer", goal="answer well", backstory="Writes answers.", llm=model)
draft = Task(
    description="Draft an answer to: {question}. Before that was said: {conversation}",
    expected_output="an answer",
    agent=writer,
)
polish = Task(
    description="Polish the draft for: {question}", expected_output="an answer", agent=writer
)
crew = Crew(agents=[writer], tasks=[draft, polish])
asking = Crew(
    agents=[writer],
    tasks=[Task(description="Ask", expected_output="words", agent=writer, human_input=True)],
)
