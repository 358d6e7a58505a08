"""`python -m agent_runtime`: check documents, serve an agent, load knowledge."""

import argparse
import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import agents

OK, USAGE = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 well, 2 with a line for each thing to mend."""
    options = _parser().parse_args(arguments)

    from agent_runtime.settings import SettingsError
    from agents.errors import DocumentError

    try:
        status: int = options.command(options)
    except (DocumentError, SettingsError) as error:
        _say(str(error))
        return USAGE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agent_runtime")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="say what is wrong with Agent and Tool documents")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(command=_check)

    run = commands.add_parser("run", help="serve one agent")
    run.add_argument("file", nargs="?", type=Path, help="default: AGENT_DOCUMENT")
    run.set_defaults(command=_run)

    tools = commands.add_parser("tools-mcp", help="serve registered Tools as an MCP server")
    tools.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: AGENT_TOOLS")
    tools.set_defaults(command=_tools_mcp)

    ingest = commands.add_parser(
        "ingest", help="load txt, md, html, pdf and csv files into a collection"
    )
    ingest.add_argument("--collection", required=True)
    ingest.add_argument("--tenant", required=True)
    ingest.add_argument("--origin", default="files", help="name of this set of documents")
    ingest.add_argument(
        "--prune", action="store_true", help="delete documents of the origin that are not given"
    )
    ingest.add_argument("--max-megabytes", type=int, default=64, help="size of the largest file")
    ingest.add_argument("--json", action="store_true", help="one JSON object on standard output")
    ingest.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    ingest.set_defaults(command=_ingest)

    bootstrap = commands.add_parser(
        "bootstrap-milvus", help="make the databases, collections and users of a plan"
    )
    bootstrap.add_argument("--plan", required=True, type=Path, metavar="FILE", help="JSON")
    bootstrap.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="for a server that is starting"
    )
    bootstrap.add_argument("--json", action="store_true", help="one JSON object on standard output")
    bootstrap.set_defaults(command=_bootstrap_milvus)

    collections = commands.add_parser("collections", help="list the collections")
    collections.add_argument(
        "--ensure",
        action="append",
        default=[],
        metavar="NAME",
        help="make this one if it is missing; may be repeated",
    )
    collections.set_defaults(command=_collections)
    return parser


def _check(options: argparse.Namespace) -> int:
    """References are followed when Tools stand in the same files."""
    from agent_runtime.check import check
    from agents.errors import DocumentError

    found = check(options.files)
    if found.mistakes:
        raise DocumentError(found.mistakes)
    _say(f"ok: {len(found.agents)} agents, {len(found.tools)} tools")
    return OK


def _run(options: argparse.Namespace) -> int:
    gc.disable()  # until it serves: nearly nothing of what loading makes is garbage

    from agent_runtime.documents import read_agent
    from agent_runtime.loading import on_demand
    from agent_runtime.settings import load_settings

    settings = load_settings()
    document, tools = read_agent(options.file or settings.document, settings.tools)

    with on_demand():
        from agent_runtime.assembly import assemble
        from agent_runtime.server import listener, serve
        from agent_runtime.telemetry.logs import configure_logs

    requests = listener(settings.bind_host, settings.port)
    operations = listener(settings.bind_host, settings.metrics_port)
    configure_logs(settings.log_level)
    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        runner.run(serve(assemble(settings, document, tools), requests, operations))
    logging.getLogger(__name__).info("stopped")
    return OK


def _tools_mcp(options: argparse.Namespace) -> int:
    from agent_runtime.documents import read_documents
    from agent_runtime.settings import load_settings
    from agents.document import ToolDocument

    settings = load_settings()
    files = options.files or [settings.tools]
    documents = read_documents([each for each in files if options.files or each.is_file()])
    tools = [each for each in documents if isinstance(each, ToolDocument)]

    from agent_runtime.server import listener
    from agent_runtime.telemetry.logs import configure_logs
    from agent_runtime.tools.server import assemble_tools, serve_tools

    requests = listener(settings.bind_host, settings.port)
    operations = listener(settings.bind_host, settings.metrics_port)
    configure_logs(settings.log_level)
    asyncio.run(serve_tools(assemble_tools(settings, tools), requests, operations))
    logging.getLogger(__name__).info("stopped")
    return OK


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed; it takes half the time of Python's own."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop


def _ingest(options: argparse.Namespace) -> int:
    from agent_runtime.knowledge.command import IngestOptions, ingest
    from agent_runtime.settings import load_settings

    wanted = IngestOptions(
        options.collection,
        options.tenant,
        options.paths,
        origin=options.origin,
        prune=options.prune,
        max_bytes=options.max_megabytes * 1_000_000,
        as_json=options.json,
    )
    return asyncio.run(ingest(load_settings(), wanted))


def _bootstrap_milvus(options: argparse.Namespace) -> int:
    from agent_runtime.memory.bootstrap_command import bootstrap_milvus
    from agent_runtime.settings import load_settings

    return bootstrap_milvus(
        load_settings(), options.plan, as_json=options.json, patience=options.wait
    )


def _collections(options: argparse.Namespace) -> int:
    from agent_runtime.knowledge.command import collections
    from agent_runtime.settings import load_settings

    return asyncio.run(collections(load_settings(), options.ensure))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    agents.described = False
    sys.exit(main())
