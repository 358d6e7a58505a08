"""The reference architecture's three routes: what a stack serves that names no models."""

from inference.routing import Backend, ModelRoute

DEFAULT_MODELS = (
    ModelRoute(
        name="gpt-4",
        backends=(
            Backend(service="vllm-gpt4-primary", weight=80),
            Backend(service="vllm-gpt4-canary", weight=20),
        ),
    ),
    ModelRoute(name="claude-3", backends=(Backend(service="vllm-claude3"),)),
    ModelRoute(name="mixtral-8x7b", backends=(Backend(service="tgi-mixtral", port=8080),)),
)
