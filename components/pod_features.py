"""Fields of Pods that Kubernetes 1.33 made stable and the platform relies on."""

RESIZE_IN_PLACE: list[dict[str, str]] = [
    {"resourceName": "cpu", "restartPolicy": "NotRequired"},
    {"resourceName": "memory", "restartPolicy": "RestartContainer"},
]
"""`resizePolicy` of a container: more CPU at once; more memory with a restart of the container,
as a Python process sizes its pools when it starts. The Pod keeps its node and its address."""
