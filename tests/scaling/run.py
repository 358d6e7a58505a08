"""From nothing to a told story, and back to nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.crds.lock import select
from local.crds.sources import Sources
from local.paths import Cache
from local.toolchain import CONTROL_PLANE_TOOLS, SCALING_TOOLS, cached
from tests.scaling import stack_objects
from tests.scaling.catalogue import catalogue
from tests.scaling.history import observed
from tests.scaling.permissions import published
from tests.scaling.plane import KINDS, plane
from tests.scaling.private_network import private_network
from tests.scaling.stack_objects import AGENT
from tests.scaling.stage import cluster_names, objects, store_authority
from tests.scaling.story import AGENTS, MUTANT_AGENT, Story, Teller


@contextmanager
def told(state: Path) -> Iterator[Story]:
    """The story, its processes below `state` until the block ends.

    Raises UserError when a tool is missing, PermissionError where there can be no private network.
    """
    cache = Cache.default()
    tools = cached((*CONTROL_PLANE_TOOLS, *SCALING_TOOLS), cache)
    names = cluster_names(stack_objects.prod())
    manifests = list(objects())
    # in the private network nothing can be downloaded
    sources = Sources(cache)
    for project, file in select(KINDS):
        sources.read(project, file)
    roles = published()
    bought = catalogue(stack_objects.region())
    with private_network():
        began = time.time()
        with plane(state, tools, catalogue=bought, names=names, roles=roles) as running:
            serving = time.time() - began
            for manifest in manifests:
                running.client.apply(manifest)
            running.client.apply(store_authority(running.around.pki.ca.read_text()))
            scaled = [f"{AGENTS}/{AGENT}", f"{AGENTS}/{MUTANT_AGENT}"]
            with observed(running.client, running.karpenter_log, scaled) as history:
                teller = Teller(running, history)
                teller.story.figures["start: everything serves"] = serving
                story = teller.tell()
                story.figures["whole run"] = time.time() - began
                yield story
