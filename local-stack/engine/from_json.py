"""`from_json` as DuckDB's expressions. A constant is read by `spark_json` beforehand; what a column holds is cast by
DuckDB, which is close to Spark and no more. Runs nothing."""

import re

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

import failures
import spark_json


def _schema_of(node):
    schema = node.args.get("expression")
    if not isinstance(schema, exp.Literal):
        raise failures.unsupported("from_json with a schema that is not a literal")
    text = schema.this
    nested = re.match(r"\s*(STRUCT|ARRAY|MAP)\s*<", text, re.IGNORECASE)
    try:
        return exp.DataType.build(text if nested else f"STRUCT<{text}>", dialect="databricks")
    except (ParseError, TokenError, ValueError):
        raise failures.syntax(text, f"'{text.split()[0] if text.split() else ''}'") from None


def decode_constant(node, parameters, name):
    """A parameter or literal is read here, by Spark's rules, and becomes a parameter in which every leaf fits."""
    if isinstance(node.this, exp.Placeholder) and node.this.name in parameters:
        text = parameters[node.this.name][0]
    elif isinstance(node.this, exp.Literal) and node.this.is_string:
        text = node.this.this
    else:
        return
    mode = spark_json.mode_of(node.args.get("options"))
    parameters[name] = (spark_json.decode(text, _schema_of(node), mode), None)
    node.set("this", exp.Placeholder(this=name))
    node.meta["decoded"] = True


def expression(node):
    kind = _schema_of(node)
    if node.meta.get("decoded"):
        return exp.Var(this=_typed(kind, f"CAST({node.this.sql('duckdb')} AS JSON)", 0))
    options = node.args.get("options")
    strict = options is not None and "failfast" in options.sql().lower()
    source = f"CAST({node.this.sql('duckdb')} AS JSON)" if strict else f"TRY_CAST({node.this.sql('duckdb')} AS JSON)"
    return exp.Var(this=_decoded(kind, source, strict, 0))


def _typed(kind, source, depth):
    """DuckDB's value of what `spark_json` wrote."""
    if kind.is_type("struct"):
        fields = []
        for field in kind.expressions:
            path = "'$.\"" + field.name.replace('"', '\\"').replace("'", "''") + "\"'"
            fields.append('"' + field.name.replace('"', '""') + '" := ' + _typed(field.args["kind"], f"({source} -> {path})", depth))
        return f"CASE WHEN coalesce(json_type({source}), 'NULL') <> 'NULL' THEN struct_pack({', '.join(fields)}) END"
    if kind.is_type("array", "map"):
        item = f"item{depth}"
        if kind.is_type("array"):
            inner = _typed(kind.expressions[0], item, depth + 1)
        else:
            key, value = (_typed(one, f"({item} -> '$.{part}')", depth + 1)
                          for one, part in zip(kind.expressions, ("key", "value")))
            inner = f"struct_pack(k := {key}, v := {value})"
        made = f"list_transform(CAST({source} AS JSON[]), lambda {item}: {inner})"
        return made if kind.is_type("array") else f"map_from_entries({made})"
    if kind.is_type("binary", "varbinary"):
        return f"from_base64({source} ->> '$')"
    return f"CAST(({source} ->> '$') AS {kind.sql('duckdb')})"


def _decoded(kind, source, strict, depth):
    """DuckDB's own casts demand every key, or none; Spark's from_json takes a missing key as NULL."""
    if kind.is_type("struct"):
        fields = []
        for field in kind.expressions:
            name = field.name
            path = "'$.\"" + name.replace('"', '\\"').replace("'", "''") + "\"'"
            inner = _decoded(field.args["kind"], f"({source} -> {path})", strict, depth)
            fields.append('"' + name.replace('"', '""') + f'" := {inner}')
        return f"CASE WHEN coalesce(json_type({source}), 'NULL') <> 'NULL' THEN struct_pack({', '.join(fields)}) END"
    if kind.is_type("array"):
        item = f"item{depth}"
        inner = _decoded(kind.expressions[0], item, strict, depth + 1)
        return f"list_transform(CAST({source} AS JSON[]), lambda {item}: {inner})"
    cast = "CAST" if strict else "TRY_CAST"
    return f"{cast}(({source} ->> '$') AS {kind.sql('duckdb')})"
