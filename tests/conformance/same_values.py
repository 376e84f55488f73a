"""The same query through Databricks' clients and through Causeway gives the same values: the SQL connector's kernel
(Arrow), the SDK (JSON_ARRAY) and Causeway, by INLINE and by links. Prints a line for each type that was compared."""

import base64
import datetime
import decimal
import json
import math
import os
import sys
import urllib.request

from databricks import sql
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

HOST = os.environ["CAUSEWAY_LOCAL_HOST"]
WAREHOUSE = os.environ["CAUSEWAY_LOCAL_WAREHOUSE"]
TOKEN = os.environ["CAUSEWAY_LOCAL_TOKEN"]
UTC = datetime.timezone.utc

# A name, and what a column of that type holds: each in a row of its own, with a NULL in the last.
TYPES = {
    "boolean": ["true", "false"],
    "tinyint": ["CAST(-128 AS TINYINT)", "CAST(127 AS TINYINT)"],
    "smallint": ["CAST(-32768 AS SMALLINT)", "CAST(32767 AS SMALLINT)"],
    "int": ["CAST(-2147483648 AS INT)", "CAST(2147483647 AS INT)"],
    "bigint": ["CAST(-9223372036854775808 AS BIGINT)", "CAST(9223372036854775807 AS BIGINT)"],
    "float": ["CAST(1.5 AS FLOAT)", "CAST(0.1 AS FLOAT)", "CAST('NaN' AS FLOAT)", "CAST(16777216 AS FLOAT)"],
    "double": ["CAST(0.1 AS DOUBLE)", "CAST('NaN' AS DOUBLE)", "CAST('Infinity' AS DOUBLE)",
               "CAST('-Infinity' AS DOUBLE)", "CAST(1e300 AS DOUBLE)", "CAST(1.0E-5 AS DOUBLE)",
               "CAST(123456789 AS DOUBLE)"],
    "decimal": ["CAST(1.50 AS DECIMAL(10,2))", "CAST(-0.01 AS DECIMAL(10,2))"],
    "wide decimal": ["CAST('99999999999999999999.999999999999999999' AS DECIMAL(38,18))",
                     "CAST('-0.000000000000000001' AS DECIMAL(38,18))"],
    "string": ["''", "'null'", "'Zoë \"x\", 😀'", "'a\\nb\\tc\\u0000d'"],
    "date": ["DATE'0001-01-01'", "DATE'1969-12-31'", "DATE'9999-12-31'"],
    "timestamp": ["TIMESTAMP'0001-01-01 00:00:00'", "TIMESTAMP'1969-12-31 23:59:59.999'",
                  "TIMESTAMP'2021-06-15 12:34:56.789012'", "TIMESTAMP'9999-12-31 23:59:59.999999'"],
    "timestamp_ntz": ["CAST('0001-01-01 00:00:00' AS TIMESTAMP_NTZ)", "CAST('2021-06-15 12:34:56.5' AS TIMESTAMP_NTZ)",
                      "CAST('9999-12-31 23:59:59.999999' AS TIMESTAMP_NTZ)"],
    "binary": ["unhex('f000fb')", "unhex('')"],
    "interval": ["INTERVAL 1 DAY", "INTERVAL -90 MINUTE"],
    "array": ["array(1, NULL, 3)", "array(CAST(NULL AS INT))"],
    "array of arrays": ["array(array('a', ''), array('b'))"],
    "map": ["map('k', 1, 'l', CAST(NULL AS INT))"],
    "struct": ["named_struct('a', 1, 'b', 'x', 'c', true, 'd', CAST(NULL AS INT))"],
    "variant": ["parse_json('{\"a\":[1,\"x\",null]}')", "parse_json('5')"],
    "void": [],
}


def statement(expressions):
    rows = [f"SELECT {number} AS n, {text} AS v" for number, text in enumerate([*expressions, "NULL"])]
    return f"SELECT v FROM ({' UNION ALL '.join(rows)}) ORDER BY n"


def by_kernel(cursor, text):
    cursor.execute(text)
    # From Arrow, not by way of a frame, which would lose integers beside NULLs.
    return cursor.fetchall_arrow().column(0).to_pylist()


def by_sdk(client, text):
    reply = client.statement_execution.execute_statement(statement=text, warehouse_id=WAREHOUSE, wait_timeout="50s")
    assert reply.status.state.value == "SUCCEEDED", reply.status
    return [row[0] for row in reply.result.data_array]


def by_causeway(text, disposition):
    address = os.environ["CAUSEWAY_URL"] + "/api/sql/statements?decimals=string&bigints=string"
    headers = {"content-type": "application/json", "x-functions-key": os.environ["CAUSEWAY_KEY"]}
    body = json.dumps({"statement": text, "disposition": disposition}).encode()
    with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
        reply = json.loads(answer.read())
    return [row["v"] for row in reply["rows"]]


def moment(text):
    """A date and time of ISO 8601, in UTC when it has an offset."""
    value = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return value.astimezone(UTC) if value.tzinfo else value


READERS = {
    "boolean": lambda value: value if isinstance(value, bool) else {"true": True, "false": False}[value],
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), int),
    **dict.fromkeys(("float", "double"), lambda value: float(value)),
    **dict.fromkeys(("decimal", "wide decimal"), lambda value: decimal.Decimal(value)),
    "date": datetime.date.fromisoformat,
    **dict.fromkeys(("timestamp", "timestamp_ntz"), moment),
    "binary": base64.b64decode,
    **dict.fromkeys(("array", "array of arrays", "map", "struct", "variant"),
                    lambda value: json.loads(value) if isinstance(value, str) else value),
}


def read(kind, value):
    """A value of the wire, as its type has it."""
    return None if value is None else READERS.get(kind, str)(value)


def native(kind, value):
    """A value of the kernel, in the same terms."""
    if value is None:
        return None
    if kind == "timestamp":
        return value.astimezone(UTC)
    if kind == "float":
        # A 32-bit number, by the fewest digits that tell it from its neighbours.
        import numpy

        return float(str(numpy.float32(value)))
    if kind == "map":
        return dict(value)
    if kind == "variant":
        return json.loads(value)
    return value


def same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


def main():
    client = WorkspaceClient(config=Config(host=HOST, token=TOKEN, auth_type="pat", http_timeout_seconds=60))
    connection = sql.connect(
        server_hostname=HOST,
        http_path="/sql/1.0/warehouses/" + WAREHOUSE,
        access_token=TOKEN,
        use_kernel=True,
        enable_telemetry=False,
    )
    failed = 0
    with connection, connection.cursor() as cursor:
        for kind, expressions in TYPES.items():
            text = statement(expressions)
            try:
                expected = [native(kind, value) for value in by_kernel(cursor, text)]
                others = {
                    "databricks-sdk": by_sdk(client, text),
                    "causeway inline": by_causeway(text, "inline"),
                    "causeway by links": by_causeway(text, "externalLinks"),
                }
                assert len(expected) == len(expressions) + 1 and expected[-1] is None, expected
                for name, values in others.items():
                    values = [read(kind, value) for value in values]
                    equal = len(values) == len(expected) and all(map(same, expected, values))
                    assert equal, f"{name}: {values} and not {expected}"
                print("ok", kind, flush=True)
            except Exception as error:
                failed += 1
                print("FAILED", kind, type(error).__name__, error, flush=True)
    sys.exit(1 if failed else 0)


main()
