"""Makes tests/fixtures/databricks-shapes.json: the shapes of recorded replies of a Databricks workspace.

    python tests/conformance/make_databricks_shapes.py RECORDINGS tests/fixtures/databricks-shapes.json

RECORDINGS has a JSON object on each line, {request: {method, url, body}, response: {status, headers, body}}, made from
the WireMock mappings of databricks/databricks-jdbc (src/test/resources/sqlexecapi). Only shapes are taken from it: which
keys are present, which never, and of which JSON type. The example bodies are our own, and are held against the shapes.

A shape is an object of shapes (a key that ends in `?` may be absent), a list with the shape of each item, or the names
of the JSON types that were seen, with `|` between.
"""

import json
import sys

# Keys that a recorded reply has only because its request asked for compressed results.
ASKED_FOR = {"result_compression"}

STATEMENT = "01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b"
INT = {"name": "id", "type_text": "INT", "type_name": "INT", "position": 0}
STRING = {"name": "name", "type_text": "STRING", "type_name": "STRING", "position": 1}
LONG = {"type_text": "BIGINT", "type_name": "LONG"}
LINK = {
    "chunk_index": 0,
    "row_offset": 0,
    "row_count": 2,
    "byte_count": 400,
    "external_link": "https://storage.example.com/jobs/1/sql/part-0?sig=none",
    "expiration": "2026-01-01T00:15:00.000Z",
}


def succeeded(manifest, result):
    return {
        "statement_id": STATEMENT,
        "status": {"state": "SUCCEEDED"},
        "manifest": {"format": "JSON_ARRAY", **manifest, "truncated": False},
        "result": result,
    }


EXAMPLES = {
    "rows": succeeded(
        {
            "schema": {"column_count": 2, "columns": [INT, STRING]},
            "total_chunk_count": 1,
            "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": 2}],
            "total_row_count": 2,
        },
        {"chunk_index": 0, "row_offset": 0, "row_count": 2, "data_array": [["1", "Ada"], ["2", None]]},
    ),
    "no-rows": succeeded(
        {
            "schema": {"column_count": 1, "columns": [INT]},
            "total_chunk_count": 0,
            "total_row_count": 0,
            "total_byte_count": 0,
        },
        {},
    ),
    "no-columns": succeeded(
        {"schema": {"column_count": 0}, "total_chunk_count": 0, "total_row_count": 0, "total_byte_count": 0}, {}
    ),
    "external-links": succeeded(
        {
            "schema": {"column_count": 1, "columns": [INT]},
            "total_chunk_count": 1,
            "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": 2, "byte_count": 400}],
            "total_row_count": 2,
            "total_byte_count": 400,
        },
        {"external_links": [LINK]},
    ),
    "external-links-chunk": {"external_links": [{**LINK, "chunk_index": 1, "row_offset": 2}]},
    "failed": {
        "statement_id": STATEMENT,
        "status": {
            "state": "FAILED",
            "error": {
                "error_code": "BAD_REQUEST",
                "message": "[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012",
            },
            "sql_state": "22012",
        },
    },
    "statement-closed": {},
    "session-opened": {"session_id": STATEMENT},
    "session-closed": {},
    "error-401": {
        "error_code": 401,
        "message": "Credential was not sent or was of an unsupported type for this API.",
    },
    "error-403": {"error_code": 403, "message": "Invalid access token."},
    "oauth-discovery": None,
}

# Not in the recordings that this was made from, but documented, or counted in the others of that set.
DOCUMENTED = {
    "pending": {"statement_id": STATEMENT, "status": {"state": "PENDING"}},
    "running": {"statement_id": STATEMENT, "status": {"state": "RUNNING"}},
    "canceled": {"statement_id": STATEMENT, "status": {"state": "CANCELED"}},
    "closed": {"statement_id": STATEMENT, "status": {"state": "CLOSED"}},
    "rows-first-of-two": succeeded(
        {
            "schema": {"column_count": 1, "columns": [{"name": "n", "position": 0, **LONG}]},
            "total_chunk_count": 2,
            "chunks": [
                {"chunk_index": 0, "row_offset": 0, "row_count": 1},
                {"chunk_index": 1, "row_offset": 1, "row_count": 1},
            ],
            "total_row_count": 2,
        },
        {
            "chunk_index": 0,
            "row_offset": 0,
            "row_count": 1,
            "next_chunk_index": 1,
            "next_chunk_internal_link": f"/api/2.0/sql/statements/{STATEMENT}/result/chunks/1",
            "data_array": [["1"]],
        },
    ),
    "rows-last-chunk": {"chunk_index": 1, "row_offset": 1, "row_count": 1, "data_array": [["2"]]},
}

# Recorded too (testhybridsmallquery, testhybridlargequery), and not in the recordings that this was made from.
_SMALL = {
    "schema": {"column_count": 1, "columns": [{"name": "n", "position": 0, **LONG}]},
    "total_chunk_count": 1,
    "chunks": [{"chunk_index": 0, "row_offset": 0, "row_count": 2, "byte_count": 400}],
    "total_row_count": 2,
    "total_byte_count": 400,
    "result_compression": "LZ4_FRAME",
}
_NEXT = {"next_chunk_index?": 1, "next_chunk_internal_link?": f"/api/2.0/sql/statements/{STATEMENT}/result/chunks/1"}
DOCUMENTED["attachment"] = succeeded(
    _SMALL, {"chunk_index": 0, "row_offset": 0, "row_count": 2, "byte_count": 250, "attachment": "BCJNGGBwcw8E"}
)
DOCUMENTED["hybrid-links"] = succeeded(_SMALL, {"external_links": [LINK, {**LINK, "chunk_index": 1, "row_offset": 2}]})


def case_of(request, response):
    """The kind of reply that this is."""
    url, status, body = request["url"].split("?")[0], response["status"], response["body"]
    if status in (401, 403):
        return f"error-{status}"
    if "/oidc/" in url:
        return "oauth-discovery"
    if "/sessions/" in url:
        return "session-opened" if request["method"] == "POST" else "session-closed"
    if request["method"] == "DELETE":
        return "statement-closed"
    if "/chunks/" in url:
        return "external-links-chunk"
    if body["status"]["state"] == "FAILED":
        return "failed"
    if body["manifest"]["schema"]["column_count"] == 0:
        return "no-columns"
    if body["manifest"]["total_row_count"] == 0:
        return "no-rows"
    return "external-links" if "external_links" in body["result"] else "rows"


def shape_of(value):
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        shapes = [shape_of(item) for item in value]
        merged = shapes[0] if shapes else None
        for shape in shapes[1:]:
            merged = merge(merged, shape)
        return [merged] if shapes else []
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}
    return names[type(value)]


def merge(one, other):
    if one is None or other is None:
        return one or other
    if isinstance(one, dict) and isinstance(other, dict):
        merged = {}
        for key in list(dict.fromkeys([*map(bare, one), *map(bare, other)])):
            first, second = get(one, key), get(other, key)
            both = key in one and key in other
            merged[key if both else key + "?"] = merge(first, second)
        return merged
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])] if one and other else one or other
    return "|".join(sorted(set(one.split("|")) | set(other.split("|"))))


def bare(key):
    return key.removesuffix("?")


def get(shape, key):
    return shape.get(key, shape.get(key + "?"))


def fits(shape, value, path="$"):
    """What about `value` is not as the shape says; the same rules as the Rust test."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path}: not an object"]
        wrong = [f"{path}.{key}: never seen" for key in value if get(shape, key) is None]
        for key, inner in shape.items():
            if bare(key) in value:
                wrong += fits(inner, value[bare(key)], f"{path}.{bare(key)}")
            elif not key.endswith("?"):
                wrong.append(f"{path}.{key}: absent")
        return wrong
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{path}: not a list"]
        return [line for item in value for line in (fits(shape[0], item, f"{path}[]") if shape else [])]
    return [] if shape_of(value) in shape.split("|") else [f"{path}: not {shape}"]


def may_be_absent(shape):
    if isinstance(shape, dict):
        return {key + "?" if key in ASKED_FOR else key: may_be_absent(inner) for key, inner in shape.items()}
    return [may_be_absent(inner) for inner in shape] if isinstance(shape, list) else shape


def main(recordings, target):
    shapes, counts = {}, {}
    for line in open(recordings, encoding="utf-8"):
        recorded = json.loads(line)
        case = case_of(recorded["request"], recorded["response"])
        shapes[case] = merge(shapes.get(case), shape_of(recorded["response"]["body"]))
        counts[case] = counts.get(case, 0) + 1
    # A column looks the same whatever the disposition; only some of them were recorded with decimals.
    columns = None
    for shape in shapes.values():
        seen = shape.get("manifest", {}).get("schema", {}).get("columns")
        columns = merge(columns, seen) if seen else columns
    for shape in shapes.values():
        if shape.get("manifest", {}).get("schema", {}).get("columns"):
            shape["manifest"]["schema"]["columns"] = columns
    # Servers since 2025 say the SQLSTATE also in a member of its own (SDK, StatementStatus).
    shapes["failed"]["status"]["sql_state?"] = "string"
    cases = []
    for case, shape in shapes.items():
        shape = may_be_absent(shape)
        entry = {"case": case, "status": int(case[-3:]) if case.startswith("error-") else 200,
                 "recorded": counts[case], "served": True, "shape": shape}
        if EXAMPLES[case] is not None:
            wrong = fits(shape, EXAMPLES[case])
            assert not wrong, (case, wrong)
            entry["example"] = EXAMPLES[case]
        cases.append(entry)
    for case, example in DOCUMENTED.items():
        shape = shape_of(example)
        if case == "hybrid-links":
            shape["result"]["external_links"][0].update(shape_of(_NEXT))
        cases.append({"case": case, "status": 200, "recorded": 0, "served": True, "shape": shape, "example": example})
    about = ("Shapes of recorded replies (databricks/databricks-jdbc, Apache-2.0), by kind; bodies are our own. "
             "Made by tests/conformance/make_databricks_shapes.py, which says how to read it.")
    with open(target, "w", encoding="utf-8") as out:
        json.dump({"about": about, "cases": sorted(cases, key=lambda entry: entry["case"])}, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
