"""The process of one SQL query: gives up its rights, makes the tables, answers on stdout.

Runs alone (`python -I -S`), so it imports nothing but the standard library.
"""

import csv
import io
import json
import re
import resource
import sqlite3
import sys
import time
from typing import Any

BASE_MIB = 192
"""Address space that the interpreter itself needs."""
_FUNCTIONS_REFUSED = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile"})
_ALLOWED = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,15})?")


def main() -> None:
    """Read the order from stdin; the answer is `{columns, rows, cut}` or `{error}`."""
    order = json.load(sys.stdin)
    try:
        answer = _answer(order)
    except (sqlite3.Error, sqlite3.Warning, ValueError, csv.Error) as error:
        answer = {"error": f"{type(error).__name__}: {error}"[:1000]}
    except MemoryError:
        answer = {"error": f"the query needs more than {order['memory_mib']} MiB"}
    sys.stdout.write(json.dumps(answer, ensure_ascii=True))


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    database = sqlite3.connect(":memory:", isolation_level=None)
    for name, text in order["tables"].items():
        _fill(database, name, text)
    _confine(database, order)
    cursor = database.execute(order["sql"])
    columns = [each[0] for each in cursor.description or ()]
    if not columns:
        raise ValueError("the statement gives no rows; only SELECT is possible")
    rows: list[list[Any]] = []
    size = 0
    for row in cursor:
        plain = [_plain(value) for value in row]
        size += len(json.dumps(plain))
        if len(rows) >= order["max_rows"] or size > order["max_bytes"]:
            return {"columns": columns, "rows": rows, "cut": True}
        rows.append(plain)
    return {"columns": columns, "rows": rows, "cut": False}


def _confine(database: sqlite3.Connection, order: dict[str, Any]) -> None:
    """From here on: reading the tables, within time and memory; no file, no process, no socket."""
    mib = 1024 * 1024
    memory = order["memory_mib"] * mib
    database.execute(f"PRAGMA hard_heap_limit={memory}")
    database.execute("PRAGMA temp_store=MEMORY")
    database.execute("PRAGMA trusted_schema=OFF")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * mib)
    database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 100_000)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    database.set_authorizer(_authorized)
    deadline = time.monotonic() + order["seconds"]
    database.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    processor_seconds = int(time.process_time() + order["seconds"]) + 2
    space = BASE_MIB * mib + 2 * memory + sum(len(each) for each in order["tables"].values()) * 8
    for limit, value in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CPU, processor_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def _authorized(action: int, first: str | None, second: str | None, *_: object) -> int:
    if action not in _ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and str(second).lower() in _FUNCTIONS_REFUSED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_READ and str(first).startswith("pragma_"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _fill(database: sqlite3.Connection, name: str, text: str) -> None:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    columns = [each.strip() for each in next(reader, [])]
    if not columns or len(set(columns)) != len(columns) or not all(columns):
        raise ValueError(f"the first line of table {name} must name its columns, each once")
    quoted = ", ".join('"' + each.replace('"', '""') + '"' for each in columns)
    database.execute(f'CREATE TABLE "{name}" ({quoted})')
    marks = ", ".join("?" * len(columns))
    rows = (
        [_typed(value) for value in (*row, *[""] * len(columns))[: len(columns)]]
        for row in reader
        if row
    )
    database.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)  # noqa: S608 # TableName's pattern


def _typed(text: str) -> str | int | float | None:
    """A cell as SQLite should compare it: numbers as numbers, nothing as NULL."""
    if text == "":
        return None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    return float(text) if found[1] else int(text)


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


if __name__ == "__main__":
    main()
