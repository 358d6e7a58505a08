"""Attribute names of spans.

GenAI names: OpenTelemetry semantic conventions for generative AI, all in development status.
`langfuse.*`: what LangFuse's OTLP endpoint maps to its own fields. Usage stands on `chat` spans
only, since LangFuse would otherwise count it twice.
"""

OPERATION = "gen_ai.operation.name"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHED_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CONVERSATION = "gen_ai.conversation.id"
TASK = "gen_ai.task.id"
AGENT_NAME = "gen_ai.agent.name"
AGENT_ID = "gen_ai.agent.id"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"

SESSION = "session.id"
USER = "user.id"
TENANT = "langfuse.observation.metadata.tenant"
TAGS = "langfuse.trace.tags"
OBSERVATION_TYPE = "langfuse.observation.type"
OBSERVATION_INPUT = "langfuse.observation.input"
OBSERVATION_OUTPUT = "langfuse.observation.output"
COST = "gen_ai.usage.cost"

KAGENT_USER = "kagent.user_id"
"""With CONVERSATION and TASK the three that kagent's own agents set on every span, so that the
spans of both kinds of agents can be found together."""
