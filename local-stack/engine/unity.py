"""A table as Unity Catalog's TableInfo has it (SDK, catalog.py): columns, keys, comments. Knows no HTTP.

Forms seen in real TableInfos (tests of unitycatalog and of databricks-cli): type texts in small letters and without
spaces (`struct<a:smallint,b:map<string,float>>`), `type_json` the Spark field as text, precision and scale 0 where
they mean nothing.
"""

import json

import commands
import values

_SPARK = {"BYTE": "byte", "SHORT": "short", "INT": "integer", "LONG": "long", "NULL": "void"}


def table(lakehouse, session, catalog, schema, name):
    """The parts of a TableInfo that are the engine's to know; None when there is no such table."""
    types = commands.types(session, catalog, schema, name)
    if types is None:
        return None
    found = commands.columns(session, catalog, schema, name)
    kinds = {known.lower(): (known, kind) for known, kind in commands.tables(session, catalog, schema)}
    known, kind = kinds.get(name.lower(), (name, "MANAGED"))
    declared = lakehouse.declared.of(catalog, schema, name)
    columns = [_column(column, kind_of, declared) for column, (_, kind_of) in zip(found, types)]
    info = {"name": known, "kind": kind, "columns": columns}
    if declared["comment"]:
        info["comment"] = declared["comment"]
    if declared["constraints"]:
        info["table_constraints"] = declared["constraints"]
    lakehouse.policies.show(info, catalog, schema, name)
    return info


def _column(column, kind, declared):
    name = column["name"]
    metadata = dict(declared["metadata"].get(name, {}))
    comment = declared["comments"].get(name)
    if comment is not None:
        metadata["comment"] = comment
    field = {"name": name, "type": _spark(kind), "nullable": column["nullable"], "metadata": metadata}
    shown = {
        "name": name,
        "type_text": _text(kind),
        "type_json": json.dumps(field, ensure_ascii=False, separators=(",", ":")),
        "type_name": column["type_name"],
        "type_precision": column.get("type_precision", 0),
        "type_scale": column.get("type_scale", 0),
        "position": column["position"],
        "nullable": column["nullable"],
    }
    if comment is not None:
        shown["comment"] = comment
    partitions = [part.lower() for part in declared["partitions"]]
    if name.lower() in partitions:
        shown["partition_index"] = partitions.index(name.lower())
    return shown


def _text(kind):
    if kind.id in ("list", "array"):
        return f"array<{_text(kind.children[0][1])}>"
    if kind.id == "struct":
        return "struct<" + ",".join(f"{name}:{_text(child)}" for name, child in kind.children) + ">"
    if kind.id == "map":
        return "map<" + ",".join(_text(child) for _, child in kind.children) + ">"
    return values.describe(kind)[1].lower()


def _spark(kind):
    """The type as Spark writes it in JSON."""
    if kind.id in ("list", "array"):
        return {"type": "array", "elementType": _spark(kind.children[0][1]), "containsNull": True}
    if kind.id == "struct":
        fields = [{"name": name, "type": _spark(child), "nullable": True, "metadata": {}}
                  for name, child in kind.children]
        return {"type": "struct", "fields": fields}
    if kind.id == "map":
        key, value = (_spark(child) for _, child in kind.children)
        return {"type": "map", "keyType": key, "valueType": value, "valueContainsNull": True}
    type_name, text = values.describe(kind)
    return _SPARK.get(type_name, text.lower())
