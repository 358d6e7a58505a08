"""SQL tools: the declared tables can be read, and nothing else can be done."""

from pathlib import Path
from typing import Any

import pytest

from agent_runtime.tools.port import CallContext, ToolResult
from agent_runtime.tools.sql import SqlQuery
from agents.tool import CodeTool

pytestmark = pytest.mark.services

WHO = CallContext(tenant="acme", user="kim", run_id="run", call_id="call-1")
ORDERS = "id,customer,amount,note\n1,Ann,10,\n2,Bo,2.5,née\n3,Ann,007,x\n"


async def query(sql: str, **config: Any) -> ToolResult:
    given = {"language": "sql", "timeout": "30s", "tables": {"orders": {"csv": ORDERS}}, **config}
    tool = CodeTool.model_validate({"name": "orders", "type": "code", "config": given})
    return await SqlQuery(tool).call({"code": sql}, WHO)


async def test_a_question_over_the_tables_is_answered() -> None:
    result = await query(
        "SELECT customer, sum(amount) AS total, count(note) FROM orders "
        "WHERE id < 3 GROUP BY customer ORDER BY customer"
    )
    assert result.value == {
        "columns": ["customer", "total", "count(note)"],
        "rows": [["Ann", 10, 0], ["Bo", 2.5, 1]],
        "cut": False,
    }


async def test_numbers_with_leading_zeros_stay_text() -> None:
    result = await query("SELECT amount FROM orders WHERE id = 3")
    assert result.value["rows"] == [["007"]]


async def test_a_table_may_be_a_mounted_file(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("\ufeffname,price\ncable,3\n", encoding="utf-8")
    tables = {"prices": {"file": str(path)}}
    assert (await query("SELECT price FROM prices", tables=tables)).value["rows"] == [[3]]
    path.unlink()
    gone = await query("SELECT price FROM prices", tables=tables)
    assert gone.error
    assert str(tmp_path) not in gone.value


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO orders VALUES (4, 'Eve', 1, '')",
        "DELETE FROM orders",
        "DROP TABLE orders",
        "CREATE TABLE more (a)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "ATTACH DATABASE '/etc/passwd' AS other",
        "PRAGMA hard_heap_limit=0",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('/tmp/x.so')",
        "VACUUM INTO '/tmp/stolen.db'",
        "SELECT 1; SELECT 2",
        "BEGIN",
        "SELECT nothing FROM nowhere",
        "",
        "\x00",
    ],
)
async def test_everything_but_one_select_is_refused(sql: str) -> None:
    result = await query(sql)
    assert result.error
    assert "Error" in result.value or "Warning" in result.value


async def test_a_query_without_end_is_stopped() -> None:
    result = await query(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n",
        timeout="300ms",
    )
    assert result.error
    assert "interrupted" in result.value


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT hex(zeroblob(900000000))",
        "WITH RECURSIVE n(x, s) AS (SELECT 1, 'a' UNION ALL SELECT x + 1, s || s FROM n) "
        "SELECT max(length(s)) FROM n",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5000000) "
        "SELECT count(*) FROM (SELECT x, randomblob(1000) r FROM n ORDER BY r)",
    ],
)
async def test_a_query_that_wants_too_much_memory_is_stopped(sql: str) -> None:
    result = await query(sql, memoryMib=16, timeout="5s")
    assert result.error


async def test_a_long_result_is_cut_and_says_so() -> None:
    result = await query(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000) "
        "SELECT x FROM n",
        maxRows=5,
    )
    assert result.value == {"columns": ["x"], "rows": [[1], [2], [3], [4], [5]], "cut": True}


async def test_a_table_without_proper_column_names_is_explained() -> None:
    result = await query("SELECT 1", tables={"t": {"csv": "a,a\n1,2\n"}})
    assert result.error
    assert "must name its columns" in result.value
