"""The tiny program that the engine tests deploy and edit: resources from a YAML file.

The file is `resources.yaml`, or the one that the variable RESOURCES names. Each resource has a
`type` (Pulumi type token), a `name` and `properties`; `dependsOn` names earlier ones, `secrets` are
dotted paths of properties to hide, `outputs` those that others ask for, `deleteSeconds` bounds its
deletion, `remote` is for components, `protect` forbids deletion. `beforeDelete` names `hooks`: each
writes its resource's name to a file, and fails with `fail`. `drain` has the platform's own hooks
before what its drains are for. `${name.output}` in a property is
another resource's output, `${call.name.key}` the answer to one of the `calls`. `providers`, by
package, are made when they are wanted. `runError` and `bug` end the program.
"""

import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pulumi
import yaml

ROOT = Path(pulumi.get_root_directory())
REFERENCE = re.compile(r"^\$\{([\w-]+)\.([\w.]+)\}$")


class Anything(pulumi.CustomResource):
    """A resource of any type, whose outputs are asked for by name."""


class Remote(pulumi.ComponentResource):
    """A component that its plugin constructs."""


class Program:
    """The resources made so far, by name."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.made: dict[str, Any] = {}
        self.providers: dict[str, pulumi.ProviderResource] = {}
        self.answers: dict[str, Any] = {}
        hooks = document.get("hooks") or {}
        self.hooks = {name: self.hook(name, settings or {}) for name, settings in hooks.items()}
        self.drains = drains(document.get("drain"))

    def hook(self, name: str, settings: dict[str, Any]) -> pulumi.ResourceHook:
        async def told(args: pulumi.ResourceHookArgs) -> None:
            pulumi.log.info(f"{name} runs for {args.name}")
            with (ROOT / "hooks.txt").open("a", encoding="utf-8") as file:
                file.write(f"{name} {args.name}\n")
            if message := settings.get("fail"):
                raise ValueError(message)

        return pulumi.ResourceHook(name, told)

    def run(self) -> None:
        for name, call in (self.document.get("calls") or {}).items():
            options = pulumi.InvokeOptions(provider=self.provider(call["token"].split(":")[0]))
            answer = pulumi.runtime.invoke(call["token"], call["arguments"], options)
            self.answers[name] = answer.value
        for entry in self.document.get("resources") or []:
            self.make(entry)
        if message := self.document.get("runError"):
            raise pulumi.RunError(message)
        if message := self.document.get("bug"):
            raise ValueError(message)
        for name, value in (self.document.get("exports") or {}).items():
            pulumi.export(name, self.resolved(value))
        pulumi.export("folder", Path.cwd().name)

    def provider(self, package: str) -> pulumi.ProviderResource | None:
        """Made when it is first wanted, so that it may refer to resources made before."""
        settings = self.document.get("providers") or {}
        if package in settings and package not in self.providers:
            self.providers[package] = pulumi.ProviderResource(
                package,
                f"{package}-provider",
                self.resolved(settings[package] or {}),
                pulumi.ResourceOptions(version=version(f"pulumi-{package}")),
            )
        return self.providers.get(package)

    def make(self, entry: dict[str, Any]) -> None:
        properties = self.resolved(entry.get("properties") or {})
        for path in entry.get("secrets", []):
            hide(properties, path.split("."))
        outputs = dict.fromkeys(entry.get("outputs", []))
        package = entry["type"].split(":")[0]
        waits = [self.made[name] for name in entry.get("dependsOn", [])]
        own = self.provider(package)
        if entry.get("remote"):
            all_of_them = [it for it in (self.provider("aws"), own) if it]
            # The SDK hands a remote component all providers only when they come from a parent.
            around = pulumi.ComponentResource(
                "tiny:index:Around",
                f"around-{entry['name']}",
                None,
                pulumi.ResourceOptions(providers=all_of_them),
            )
            options = pulumi.ResourceOptions(
                parent=around, depends_on=waits, version=version(f"pulumi-{package}")
            )
            made: Any = Remote(
                entry["type"], entry["name"], outputs | properties, options, remote=True
            )
        else:
            seconds = entry.get("deleteSeconds", 120)
            options = pulumi.ResourceOptions(
                depends_on=waits,
                provider=own,
                protect=entry.get("protect"),
                custom_timeouts=pulumi.CustomTimeouts(delete=f"{seconds}s"),
                hooks=pulumi.ResourceHookBinding(
                    before_delete=[self.hooks[name] for name in entry.get("beforeDelete", [])]
                ),
            )
            options = pulumi.ResourceOptions.merge(options, self.drains)
            made = Anything(entry["type"], entry["name"], outputs | properties, options)
        self.made[entry["name"]] = made

    def resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.resolved(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        if isinstance(value, str) and (found := REFERENCE.match(value)):
            path = found[2].split(".")
            if found[1] == "call":
                return dig(self.answers[path[0]], path[1:])
            resource = self.made[found[1]]
            output = resource.id if path[0] == "id" else getattr(resource, path[0])
            return pulumi.Output.from_input(output).apply(lambda it: dig(it, path[1:]))
        return value


def drains(settings: dict[str, Any] | None) -> pulumi.ResourceOptions:
    if settings is None:
        return pulumi.ResourceOptions()
    from components.drain import TeardownConfig
    from infra.drain_options import drain_options

    config = TeardownConfig.model_validate(settings["teardown"])
    return drain_options(config, retain=False, kubeconfig=settings["kubeconfig"])


def dig(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value[key]
    return value


def hide(properties: Any, path: list[str]) -> None:
    for key in path[:-1]:
        properties = properties[int(key) if key.isdigit() else key]
    properties[path[-1]] = pulumi.Output.secret(properties[path[-1]])


FILE = ROOT / os.environ.get("RESOURCES", "resources.yaml")
Program(yaml.safe_load(FILE.read_text(encoding="utf-8"))).run()
