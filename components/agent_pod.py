"""What runs in an agent's Pod: one description for both ways of making the Deployment."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.document import AgentDocument, ToolDocument, dump_documents, resolve_tools, secret_keys
from components import runtime_pod
from components.base import PART_OF
from components.runtime_pod import (
    CONFIG_FOLDER,
    RESERVED_FOLDERS,
    AgentServiceConfig,
    Surroundings,
)
from inference.catalog import Catalog

CARD_PATH = "/.well-known/agent-card.json"
DIGEST_ANNOTATION = "agentic.dev/config-digest"
ARGS = ("-m", "agent_runtime", "run", f"{CONFIG_FOLDER}/agent.yaml")
TOOLS_FILE = "tools.yaml"


def config_data(
    agent: AgentDocument, tools: Sequence[ToolDocument], catalog: Catalog
) -> dict[str, str]:
    """Files of the agent's ConfigMap; DocumentError where it lists a tool that nobody made."""
    resolve_tools(agent, tools)
    listed = {tool.name for tool in agent.spec.tools}
    wanted = [tool for tool in tools if tool.metadata.name in listed]
    models = catalog.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "agent.yaml": dump_documents([agent]),
        TOOLS_FILE: dump_documents(wanted),
        "catalog.json": json.dumps(models, indent=1),
    }


def digest(data: Mapping[str, str], *, watched: bool = False) -> str:
    """Changes with the configuration, so that a change reaches running Pods; `watched`: they follow
    Tool objects themselves, and need no rollout for a changed Tool."""
    left_out = {TOOLS_FILE} if watched else set()
    kept = {name: text for name, text in data.items() if name not in left_out}
    text = json.dumps(kept, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def labels(name: str) -> dict[str, str]:
    """The labels under which kagent, the monitors and the policies find an agent's objects."""
    return {"app": "kagent", "kagent": name}


def pod_labels(name: str) -> dict[str, str]:
    return labels(name) | {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": "agent",
        "app.kubernetes.io/part-of": PART_OF,
    }


def env(
    agent: AgentDocument, config: AgentServiceConfig, around: Surroundings, *, join: Any
) -> list[dict[str, Any]]:
    """The environment contract of the runtime's `Settings`; `join` as in `runtime_pod`."""
    name = agent.metadata.name
    values: dict[str, Any] = {
        "AGENT_NAME": name,
        "AGENT_DOCUMENT": f"{CONFIG_FOLDER}/agent.yaml",
        "AGENT_TOOLS": f"{CONFIG_FOLDER}/{TOOLS_FILE}",
        "AGENT_CATALOG": f"{CONFIG_FOLDER}/catalog.json",
        "AGENT_PUBLIC_URL": join([around.gateway_url, f"/a2a/{name}"]),
        "AGENT_QUEUE": around.queue,
    } | runtime_pod.environment(config, around, join=join)
    if config.tool_watch == "cluster":
        values |= runtime_pod.watch_environment()
    return runtime_pod.variables(values)


def volumes(
    agent: AgentDocument,
    tools: Sequence[ToolDocument],
    config: AgentServiceConfig,
    around: Surroundings,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes and their mounts; every Secret is a folder of its own below the secrets folder.

    ValueError for a tool's Secret whose name is that of a folder of the platform.
    """
    name = agent.metadata.name
    folders = runtime_pod.secret_folders(around)
    for secret in dict.fromkeys(key.name for key in secret_keys(resolve_tools(agent, tools))):
        if secret in RESERVED_FOLDERS:
            raise ValueError(
                f"agent {name!r}: a tool's Secret can't be named {secret!r}; "
                f"reserved: {', '.join(RESERVED_FOLDERS)}"
            )
        folders[secret] = secret
    found, mounts = runtime_pod.volumes(folders, watch=config.tool_watch == "cluster")
    config_volume = {"name": "config", "configMap": {"name": f"{name}-config"}}
    config_mount = {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True}
    return [config_volume, *found], [config_mount, *mounts]
