"""Drives the Databricks stand-in with Databricks' SQL connector, unmodified, over its Statement Execution backend (which
reads the first INLINE chunk only, so results here are small). Prints a line for each check that ran."""

import datetime
import decimal
import os
import sys

from databricks import sql
from databricks.sql.exc import DatabaseError

HOST = os.environ["CAUSEWAY_LOCAL_HOST"]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def connect():
    return sql.connect(
        server_hostname=HOST.rsplit(":", 1)[0],
        _port=int(HOST.rsplit(":", 1)[1]),
        http_path="/sql/1.0/warehouses/" + os.environ["CAUSEWAY_LOCAL_WAREHOUSE"],
        access_token=os.environ["CAUSEWAY_LOCAL_TOKEN"],
        use_sea=True,
        use_cloud_fetch=False,
        enable_telemetry=False,
    )


@check
def typed_cells_are_read_as_python_values():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT :n + 1 AS n, DATE'2026-01-05' AS d, CAST(1.5 AS DECIMAL(10,2)) AS dec, NULL AS nothing, "
            "TIMESTAMP'2021-06-15 12:34:56.789' AS ts, true AS b, 2.5D AS x, 'é' AS s",
            {"n": 41},
        )
        kinds = [column[1] for column in cursor.description]
        assert kinds == ["int", "date", "decimal", "null", "timestamp", "boolean", "double", "string"], kinds
        assert cursor.description[2][4:6] == (10, 2), cursor.description[2]
        row = cursor.fetchall()[0]
        at = datetime.datetime(2021, 6, 15, 12, 34, 56, 789000, tzinfo=datetime.timezone.utc)
        assert row.n == 42 and row.d == datetime.date(2026, 1, 5) and row.dec == decimal.Decimal("1.50")
        assert row.nothing is None and row.ts == at and row.b is True and row.x == 2.5 and row.s == "é"


@check
def changes_are_made_and_seen():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE main.gold.by_connector (id INT, name STRING)")
        cursor.execute("INSERT INTO main.gold.by_connector VALUES (1, 'a'), (2, NULL)")
        assert cursor.fetchall()[0].num_affected_rows == 2
        cursor.execute("SELECT * FROM main.gold.by_connector ORDER BY id")
        assert [tuple(row) for row in cursor.fetchall()] == [(1, "a"), (2, None)]


@check
def a_failed_statement_is_an_error_with_its_words():
    with connect() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("SELECT 1 / 0")
        except DatabaseError as error:
            assert "DIVIDE_BY_ZERO" in str(error), error
        else:
            raise AssertionError("a division by zero went well")


def main():
    failed = 0
    for function in CHECKS:
        try:
            function()
            print("ok", function.__name__, flush=True)
        except Exception as error:
            failed += 1
            print("FAILED", function.__name__, type(error).__name__, error, flush=True)
    sys.exit(1 if failed else 0)


main()
