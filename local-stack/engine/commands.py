"""SHOW, DESCRIBE, USE and EXPLAIN, and information_schema: the metadata that DuckDB has in other words."""

import re

import duckdb

import failures
import values

_STRING = ("STRING", "STRING")


def information_schema(connection, catalog):
    """The views of `<catalog>.information_schema` that clients read, over DuckDB's own."""
    schema = f"cat_{catalog}.information_schema_of"
    own = f"database_name = 'cat_{catalog}' AND schema_name NOT IN ('main', 'pg_catalog', 'information_schema_of')"
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(
        f"CREATE VIEW {schema}.tables AS SELECT '{catalog}' AS table_catalog, schema_name AS table_schema, "
        f"table_name, 'MANAGED' AS table_type FROM duckdb_tables() WHERE {own} UNION ALL "
        f"SELECT '{catalog}', schema_name, view_name, 'VIEW' FROM duckdb_views() WHERE {own}"
    )
    connection.execute(
        f"CREATE VIEW {schema}.columns AS SELECT '{catalog}' AS table_catalog, schema_name AS table_schema, "
        "table_name, column_name, CAST(column_index - 1 AS INTEGER) AS ordinal_position, "
        "CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable, "
        "CASE data_type WHEN 'INTEGER' THEN 'INT' WHEN 'VARCHAR' THEN 'STRING' WHEN 'TIMESTAMP' THEN 'TIMESTAMP_NTZ' "
        "WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP' WHEN 'BLOB' THEN 'BINARY' ELSE data_type END AS data_type "
        f"FROM duckdb_columns() WHERE {own}"
    )
    connection.execute(
        f"CREATE VIEW {schema}.schemata AS SELECT '{catalog}' AS catalog_name, schema_name "
        f"FROM duckdb_schemas() WHERE {own}"
    )


def catalogs(connection):
    rows = connection.execute(
        "SELECT database_name FROM duckdb_databases() WHERE database_name LIKE 'cat\\_%' ESCAPE '\\' ORDER BY 1"
    ).fetchall()
    return [row[0].removeprefix("cat_") for row in rows]


def schemas(connection, catalog):
    rows = connection.execute(
        "SELECT schema_name FROM duckdb_schemas() WHERE database_name = $c AND schema_name NOT IN "
        "('main', 'pg_catalog', 'information_schema_of', 'information_schema') ORDER BY 1",
        {"c": f"cat_{catalog}"},
    ).fetchall()
    return [row[0] for row in rows]


def tables(connection, catalog, schema):
    rows = connection.execute(
        "SELECT table_name, 'MANAGED' FROM duckdb_tables() WHERE database_name = $c AND schema_name = $s UNION ALL "
        "SELECT view_name, 'VIEW' FROM duckdb_views() WHERE database_name = $c AND schema_name = $s ORDER BY 1",
        {"c": f"cat_{catalog}", "s": schema},
    ).fetchall()
    return rows


def types(connection, catalog, schema, table):
    """(name, DuckDB type) of each column, or None when there is no such table."""
    name = ".".join('"' + part.replace('"', '""') + '"' for part in (f"cat_{catalog}", schema, table))
    try:
        connection.execute(f"SELECT * FROM {name} LIMIT 0")
    except duckdb.Error:
        return None
    return [(entry[0], entry[1]) for entry in connection.description]


def columns(connection, catalog, schema, table):
    """Columns as a result's manifest has them and whether they are nullable, or None when there is no such table."""
    found = types(connection, catalog, schema, table)
    if found is None:
        return None
    described = [values.column(name, i, kind) for i, (name, kind) in enumerate(found)]
    nullable = dict(
        connection.execute(
            "SELECT column_name, is_nullable FROM duckdb_columns() WHERE lower(database_name) = lower($c) "
            "AND lower(schema_name) = lower($s) AND lower(table_name) = lower($t)",
            {"c": f"cat_{catalog}", "s": schema, "t": table},
        ).fetchall()
    )
    for column in described:
        column["nullable"] = bool(nullable.get(column["name"], True))
    return described


def run(lakehouse, session, statement, request):
    from lakehouse import Result

    if statement.kind == "use":
        return Result()
    if statement.kind == "explain":
        text = re.sub(r"^\s*EXPLAIN\s+(EXTENDED|FORMATTED|COST|CODEGEN)?\s*", "", request["statement"], flags=re.I)
        return Result.of([("plan", *_STRING)], [[f"== Physical Plan ==\n{text}"]])
    if statement.kind == "describe":
        return _describe(session, statement, request, Result)
    return _show(session, request, Result)


def _describe(session, statement, request, result):
    if re.match(r"\s*DESC(RIBE)?\s+(HISTORY|DETAIL)\b", request["statement"], re.IGNORECASE):
        raise failures.unsupported("DESCRIBE HISTORY and DESCRIBE DETAIL")
    table = statement.tree.this
    catalog = table.catalog or request.get("catalog") or "main"
    schema = table.db or request.get("schema") or "default"
    found = columns(session, catalog, schema, table.name)
    if found is None:
        raise failures.no_table((catalog, schema, table.name))
    rows = [[column["name"], column["type_text"].lower(), None] for column in found]
    return result.of([("col_name", *_STRING), ("data_type", *_STRING), ("comment", *_STRING)], rows)


def _show(session, request, result):
    match = re.match(
        r"\s*SHOW\s+(CATALOGS|SCHEMAS|DATABASES|TABLES|COLUMNS)(?:\s+(?:IN|FROM)\s+([`\w.]+))?"
        r"(?:\s+(?:LIKE\s+)?'([^']*)')?\s*;?\s*$",
        request["statement"],
        re.IGNORECASE,
    )
    if not match:
        raise failures.unsupported("this form of SHOW")
    what, place, pattern = match.group(1).upper(), match.group(2), match.group(3)
    parts = [part.strip("`") for part in place.split(".")] if place else []
    wanted = re.compile((pattern or "*").replace("*", ".*").replace("%", ".*"), re.IGNORECASE)
    catalog = request.get("catalog") or "main"
    if what == "CATALOGS":
        rows = [[name] for name in catalogs(session) if wanted.fullmatch(name)]
        return result.of([("catalog", *_STRING)], rows)
    if what in ("SCHEMAS", "DATABASES"):
        rows = [[name] for name in schemas(session, parts[0] if parts else catalog) if wanted.fullmatch(name)]
        return result.of([("databaseName", *_STRING)], rows)
    if what == "TABLES":
        schema = parts[-1] if parts else request.get("schema") or "default"
        catalog = parts[0] if len(parts) > 1 else catalog
        rows = [[schema, name, "false"] for name, _ in tables(session, catalog, schema) if wanted.fullmatch(name)]
        head = [("database", *_STRING), ("tableName", *_STRING), ("isTemporary", "BOOLEAN", "BOOLEAN")]
        return result.of(head, rows)
    schema = parts[-2] if len(parts) > 1 else request.get("schema") or "default"
    found = columns(session, parts[0] if len(parts) > 2 else catalog, schema, parts[-1] if parts else "")
    return result.of([("col_name", *_STRING)], [[column["name"]] for column in found or []])
