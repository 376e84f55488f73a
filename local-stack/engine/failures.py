"""What the engine refuses, said as Databricks says it: `[ERROR_CLASS] text SQLSTATE: xxxxx`."""

import re

import duckdb

import places


# Goes before the text of `raise_error`, so that it is told from the engine's own errors.
RAISED = "raised by the statement: "


class StatementFailed(Exception):
    """A statement that ends as FAILED."""

    def __init__(self, error_class, text, sql_state, where=""):
        self.error_class = error_class
        self.sql_state = sql_state
        super().__init__(f"[{error_class}] {text} SQLSTATE: {sql_state}{where}")


class Canceled(Exception):
    """The statement was interrupted because somebody asked for it."""


class TooLarge(StatementFailed):
    """More than INLINE can carry."""

    def __init__(self, limit):
        Exception.__init__(
            self,
            "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at "
            f"most {limit} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to "
            "download the full result.",
        )
        self.error_class = None
        self.sql_state = None


def unsupported(what):
    """What a warehouse can do and this engine cannot."""
    return StatementFailed(
        "UNSUPPORTED_BY_STAND_IN",
        f"The local stack's SQL engine cannot do this, though Databricks may: {what}.",
        "0A000",
    )


def denied(place):
    """A right that is missing (databricks-apps-cookbook issue 18; SQLSTATE as in DataDog/documentation 36005)."""
    right, kind = (("USE CATALOG", "Catalog"), ("USE SCHEMA", "Schema"), ("SELECT", "Table"))[len(place) - 1]
    return StatementFailed(
        "INSUFFICIENT_PERMISSIONS",
        f"Insufficient privileges:\nUser does not have {right} on {kind} '{'.'.join(place)}'.",
        "42501",
    )


def syntax(text, near, line=1, position=0):
    lines = text.splitlines() or [""]
    shown = "\n".join([*lines[:line], " " * position + "^^^", *lines[line:]])
    return StatementFailed(
        "PARSE_SYNTAX_ERROR",
        f"Syntax error at or near {near}.",
        "42601",
        f" (line {line}, pos {position})\n\n== SQL ==\n{shown}\n",
    )


# Seen from real warehouses: metabase issue 48917, dbdemos issue 240; ucx issue 243.
_VERIFY = "Verify the spelling and correctness of the schema and catalog.\n"
_VERIFY_TABLE = (
    _VERIFY + "If you did not qualify the name with a schema, verify the current_schema() output, or qualify the name "
    "with the correct schema and catalog.\n"
    "To tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS."
)
_VERIFY_SCHEMA = (
    _VERIFY + "If you did not qualify the name with a catalog, verify the current_schema() output, or qualify the name "
    "with the correct catalog.\nTo tolerate the error on drop use DROP SCHEMA IF EXISTS."
)
_NO_COLUMN = "A column, variable, or function parameter with name {0} cannot be resolved."

# (pattern in DuckDB's message, error class, text with the pattern's groups, SQLSTATE)
_KNOWN = [
    (RAISED + "(.*)", "USER_RAISED_EXCEPTION", "{0}", "P0001"),
    (r"Table with name (.+?) does not exist", "TABLE_OR_VIEW_NOT_FOUND",
     "The table or view {0} cannot be found. " + _VERIFY_TABLE, "42P01"),
    (r"Schema with name (.+?) does not exist", "SCHEMA_NOT_FOUND",
     "The schema {0} cannot be found. " + _VERIFY_SCHEMA, "42704"),
    (r"No catalog \+ schema named (\S+) found", "SCHEMA_NOT_FOUND",
     "The schema {0} cannot be found. " + _VERIFY_SCHEMA, "42704"),
    (r"Catalog (\S+) does not exist", "NO_SUCH_CATALOG_EXCEPTION", "Catalog '{0}' was not found.", "42704"),
    (r"Table with name (.+?) already exists", "TABLE_OR_VIEW_ALREADY_EXISTS",
     "Cannot create table or view {0} because it already exists.", "42P07"),
    (r"Schema with name (.+?) already exists", "SCHEMA_ALREADY_EXISTS",
     "Cannot create schema {0} because it already exists.", "42P06"),
    (r"Function with name (\S+?) does not exist", "UNRESOLVED_ROUTINE",
     "Cannot resolve routine {0}; the local stack's engine does not have it, Databricks may.", "42883"),
    (r"Referenced column (.+?) not found", "UNRESOLVED_COLUMN", _NO_COLUMN, "42703"),
    (r"does not have a column (?:named|with name) (\S+)", "UNRESOLVED_COLUMN", _NO_COLUMN, "42703"),
    (r"Referenced update column (.+?) not found", "UNRESOLVED_COLUMN", _NO_COLUMN, "42703"),
    (r"Referenced table (\S+) not found", "UNRESOLVED_COLUMN.WITH_SUGGESTION",
     "A column of the relation {0} cannot be resolved.", "42703"),
    (r"Ambiguous reference to column name (\S+)", "AMBIGUOUS_REFERENCE", "Reference {0} is ambiguous.", "42704"),
    (r"Division by zero", "DIVIDE_BY_ZERO",
     "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.", "22012"),
    (r"Could not convert string '(.*?)' to (\w+)", "CAST_INVALID_INPUT",
     "The value '{0}' of the type \"STRING\" cannot be cast to \"{1}\" because it is malformed. Correct the value as "
     "per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead.",
     "22018"),
    (r"invalid (date|timestamp) field format: \"(.*?)\"", "CAST_INVALID_INPUT",
     "The value '{1}' of the type \"STRING\" cannot be cast to \"{0}\" because it is malformed. Correct the value as "
     "per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead.",
     "22018"),
    (r"Could not convert|Conversion Error: .*cast", "CAST_INVALID_INPUT", "{message}", "22018"),
    (r"Malformed JSON", "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION",
     "Malformed records are detected in record parsing. Parse Mode: FAILFAST.", "22023"),
    (r"Overflow in|out of range|Type .* with value .* can't be cast", "ARITHMETIC_OVERFLOW", "{message}", "22003"),
    (r"NOT NULL constraint failed: (?:\S+\.)?(\S+)", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
     "NOT NULL constraint violated for column: {0}.", "23502"),
    (r"CHECK constraint failed", "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES", "{message}", "23001"),
    # Found by DuckDB before `commits.py` could.
    (r"[Cc]onflict on", "DELTA_CONCURRENT_APPEND.ROW_LEVEL_CHANGES",
     "Transaction conflict detected. The concurrent operation modified the same rows that this transaction attempted to "
     "modify. Please retry the operation.", "2D521"),
    (r"MERGE.*(multiple|more than one|more than once)|must only match", "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE",
     # delta-error-classes.json
     "Cannot perform Merge as multiple source rows matched and attempted to modify the same\n"
     "target row in the Delta table in possibly conflicting ways. By SQL semantics of Merge,\n"
     "when multiple source rows match on the same target row, the result may be ambiguous\n"
     "as it is unclear which source row should be used to update or delete the matching\n"
     "target row. You can preprocess the source table to eliminate the possibility of\n"
     "multiple matches. Please refer to\n"
     "https://docs.databricks.com/delta/merge.html#merge-error", "21506"),
    (r"has (\d+) columns but (\d+) values were supplied", "INSERT_COLUMN_ARITY_MISMATCH",
     "Cannot write: the table has {0} columns, the data {1}.", "21S01"),
    (r"must appear in the GROUP BY", "MISSING_AGGREGATION", "{message}", "42803"),
    (r"No function matches|Cannot compare|Cannot mix", "DATATYPE_MISMATCH", "{message}", "42K09"),
]

_TYPES = {"INT8": "TINYINT", "INT16": "SMALLINT", "INT32": "INT", "INT64": "BIGINT", "BOOL": "BOOLEAN"}


def from_duckdb(error, text="", catalogs=None):
    """Databricks' words for DuckDB's. `text` is the statement's, in which a name has its place; `catalogs` are known."""
    if isinstance(error, duckdb.InterruptException):
        return Canceled()
    message = shown(str(error)).split("\n\nLINE")[0].split("\nLINE")[0].strip()
    for pattern, error_class, words, sql_state in _KNOWN:
        match = re.search(pattern, message, re.DOTALL)
        if match and error_class == "UNRESOLVED_COLUMN":
            return _unresolved(match.group(1), message, text)
        if match and error_class == "TABLE_OR_VIEW_NOT_FOUND":
            return _not_found(match.group(1), words, text, catalogs)
        if match:
            first, *more = match.groups() or ("",)
            groups = [_quoted(first) if "cannot be found" in words or "{0} because" in words else _type(first)]
            groups += [_type(group) for group in more]
            return StatementFailed(error_class, words.format(*groups, message=_bare(message)), sql_state)
    return unsupported(_bare(message))


def no_table(place):
    written = ".".join(map(places.quoted, place))
    return StatementFailed("TABLE_OR_VIEW_NOT_FOUND", f"The table or view {written} cannot be found. {_VERIFY_TABLE}", "42P01")


def _not_found(name, words, text, catalogs):
    found = places.of_table(text, name)
    parts = found[0].strip("`").split("`.`") if found else []
    if catalogs is not None and len(parts) == 3 and parts[0].lower() not in [known.lower() for known in catalogs]:
        return StatementFailed("NO_SUCH_CATALOG_EXCEPTION", f"Catalog '{parts[0]}' was not found.", "42704")
    written, where = (found[0], _place(found)) if found else (_quoted(name), "")
    return StatementFailed("TABLE_OR_VIEW_NOT_FOUND", words.format(written), "42P01", where)


def _unresolved(name, message, text):
    """With the names that DuckDB takes for near, in Spark's words (error-conditions.json, UNRESOLVED_COLUMN)."""
    found = places.of_column(text, name)
    written, where = (found[0], _place(found)) if found else (_quoted(name), "")
    near = re.search(r"Candidate bindings(.*)", message)
    names = [places.quoted(one.split(".")[-1]) for one in re.findall(r'"([^"]+)"', near.group(1))] if near else []
    words = _NO_COLUMN.format(written)
    if not names:
        return StatementFailed("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", words, "42703", where)
    words += f" Did you mean one of the following? [{', '.join(names)}]."
    return StatementFailed("UNRESOLVED_COLUMN.WITH_SUGGESTION", words, "42703", where)


def _place(found):
    """As an AnalysisException ends (Spark, AnalysisException.getSimpleMessage)."""
    return f"; line {found[1]} pos {found[2]}"


def shown(text):
    """Catalogs carry a prefix inside the engine, since DuckDB reserves `main`."""
    return re.sub(r"\bcat_(\w+)", r"\1", text)


def _bare(message):
    return message.split("\n")[0].removesuffix("!").removesuffix(".") + "."


def _quoted(name):
    return ".".join(f"`{part}`" for part in name.strip("\"'!.").split("."))


def _type(text):
    text = text.rstrip("!.").strip("\"")
    return _TYPES.get(text, text.upper() if text in ("date", "timestamp") else text)
