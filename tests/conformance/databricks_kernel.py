"""Drives the Databricks stand-in with Databricks' SQL connector, unmodified, over its kernel: sessions, typed parameters,
Arrow in LZ4 as an attachment and behind presigned links. Prints a line for each check that ran."""

import datetime
import decimal
import os
import sys

from databricks import sql
from databricks.sql.exc import Error

HOST = os.environ["CAUSEWAY_LOCAL_HOST"]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def connect(**more):
    return sql.connect(
        server_hostname=HOST,
        http_path="/sql/1.0/warehouses/" + os.environ["CAUSEWAY_LOCAL_WAREHOUSE"],
        access_token=os.environ["CAUSEWAY_LOCAL_TOKEN"],
        use_kernel=True,
        enable_telemetry=False,
        **more,
    )


@check
def typed_cells_are_read_as_python_values():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT 42 AS n, CAST(7 AS BIGINT) AS big, DATE'2026-01-05' AS d, CAST(1.5 AS DECIMAL(10,2)) AS dec, "
            "NULL AS nothing, TIMESTAMP'2021-06-15 12:34:56.789' AS ts, true AS b, 2.5D AS x, 'é' AS s, "
            "unhex('f000fb') AS bin, CAST(1 AS TINYINT) AS tiny, CAST(1.5 AS FLOAT) AS f, "
            "array(1, 2) AS a, map('k', 1) AS m, named_struct('p', 1, 'q', 'x') AS st, "
            "CAST('2021-06-15 12:34:56' AS TIMESTAMP_NTZ) AS ntz"
        )
        row = cursor.fetchall()[0]
        at = datetime.datetime(2021, 6, 15, 12, 34, 56, 789000, tzinfo=datetime.timezone.utc)
        assert (row.n, row.big, row.d, row.dec) == (42, 7, datetime.date(2026, 1, 5), decimal.Decimal("1.50")), row
        assert row.nothing is None and row.ts == at and row.b is True and row.x == 2.5 and row.s == "é", row
        assert row.bin == b"\xf0\x00\xfb" and row.tiny == 1 and row.f == 1.5, row
        assert list(row.a) == [1, 2] and dict(row.m) == {"k": 1} and row.st == {"p": 1, "q": "x"}, row
        assert row.ntz == datetime.datetime(2021, 6, 15, 12, 34, 56), row


@check
def parameters_are_bound_with_their_types():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT :n + 1 AS n, :d AS d, :day AS day, :at AS at, :b AS b, :nothing AS nothing, :s AS s, :x AS x",
            {
                "n": 41,
                "d": decimal.Decimal("12.345"),
                "day": datetime.date(2026, 1, 5),
                "at": datetime.datetime(2024, 1, 15, 10, 30, tzinfo=datetime.timezone.utc),
                "b": True,
                "nothing": None,
                "s": "it's",
                "x": 2.5,
            },
        )
        row = cursor.fetchall()[0]
        assert (row.n, row.d, row.day, row.b) == (42, decimal.Decimal("12.345"), datetime.date(2026, 1, 5), True), row
        assert row.at == datetime.datetime(2024, 1, 15, 10, 30, tzinfo=datetime.timezone.utc), row
        assert row.nothing is None and row.s == "it's" and row.x == 2.5, row


@check
def parameters_are_bound_by_their_place():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ? + 1 AS n, ? AS s", [41, "x"])
        assert tuple(cursor.fetchall()[0]) == (42, "x")


@check
def many_chunks_come_over_links_in_order():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT order_id FROM main.sales.orders ORDER BY order_id")
        rows = [row.order_id for row in cursor.fetchall()]
        assert rows == list(range(1, len(rows) + 1)) and len(rows) == 40000, len(rows)
        cursor.execute(os.environ["CAUSEWAY_LOCAL_GENERATED"])
        table = cursor.fetchall_arrow()
        assert table.num_rows == 100_000, table.num_rows
        assert table.column(0).to_pylist() == list(range(100_000))
        assert table.column(1).null_count > 0


@check
def a_session_keeps_its_catalog_schema_and_zone():
    confs = {"timezone": "America/Los_Angeles"}
    with connect(catalog="main", schema="sales", session_configuration=confs) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) AS n, TIMESTAMP'2021-01-01 10:00:00' AS ts FROM orders")
            row = cursor.fetchall()[0]
            assert row.n == 40000 and row.ts.utcoffset() == datetime.timedelta(hours=-8), row
            cursor.execute("USE SCHEMA gold")
            cursor.execute("SELECT count(*) AS n FROM daily_sales")
            assert cursor.fetchall()[0].n > 0


@check
def changes_are_made_and_seen():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE main.gold.by_kernel (id INT, name STRING)")
        cursor.execute("INSERT INTO main.gold.by_kernel VALUES (1, 'a'), (2, NULL)")
        cursor.execute("SELECT * FROM main.gold.by_kernel ORDER BY id")
        assert [tuple(row) for row in cursor.fetchall()] == [(1, "a"), (2, None)]
        cursor.execute("SELECT * FROM main.gold.by_kernel WHERE false")
        assert cursor.fetchall() == []


@check
def a_failed_statement_is_an_error_with_its_words():
    with connect() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("SELECT 1 / 0")
        except Error as error:
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
