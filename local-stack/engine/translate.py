"""From Databricks SQL to what DuckDB takes. Rewrites the syntax tree, never text; runs nothing."""

import re

import duckdb
import sqlglot
# Whole, before there are threads: sqlglot lists a dialect before it has its generator, and of two first statements at once
# one would be written by half of it (`:name` left as it was).
import sqlglot.dialects.databricks
import sqlglot.dialects.duckdb
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

import declared
import failures
import from_json

_NAMES_COMMAND = re.compile(r"\s*(SHOW|OPTIMIZE|VACUUM|ANALYZE|REFRESH|MSCK|CACHE|GRANT|REVOKE|COPY)\b", re.IGNORECASE)
_IDENTIFIER = re.compile(r"\bIDENTIFIER\s*\(\s*(?::(\w+)|'((?:[^'\\]|\\.)*)')\s*\)", re.IGNORECASE)
# `string(x)` is CAST(x AS STRING), and so on.
_CASTS = {"string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "date", "timestamp"}
_NAME = re.compile(r"(?:`(?:[^`]|``)+`|\w+)(?:\.(?:`(?:[^`]|``)+`|\w+)){0,2}\Z")


class Statement:
    """One statement: its DuckDB text, what kind it is, and the parameters that it names."""

    def __init__(self, tree, sql, kind, names):
        self.tree, self.sql, self.kind, self.names = tree, sql, kind, names
        self.void = _void(tree) if kind == "query" else []
        # Of a definition: what was written, and the table that it makes.
        self.source = None
        self.creates = tree.find(exp.Table) if isinstance(tree, exp.Create) and tree.kind == "TABLE" else None


def translate(text, parameters, guard=lambda tree: tree):
    """`parameters` is {name: (value, type)}; `guard` puts row filters and masks in. Raises StatementFailed."""
    text = _resolve_identifiers(text, parameters)
    tree = _parse(text)
    kind = _kind(tree)
    if kind == "command":
        return Statement(tree, text, _command(tree, text), set())
    tree = _unsupported_parts(tree)
    _name_ranges(tree)
    source = tree.copy() if kind == "definition" else None
    if isinstance(tree, exp.Create):
        declared.keys_are_not_null(tree)
    _name_projections(tree)
    for number, node in enumerate(list(tree.find_all(exp.FromJson))):
        from_json.decode_constant(node, parameters, f"from_json_{number}")
    tree = guard(_catalogs(tree))
    names = set()
    tree = tree.transform(lambda node: _node(node, parameters, names, kind))
    for node in list(tree.find_all(exp.Anonymous, exp.DateAdd, exp.TsOrDsAdd)):
        _as_cast(node)
    for node in list(tree.find_all(exp.ParseJSON)):
        # As a column it is a VARIANT; inside other expressions JSON will do.
        if isinstance(node.parent, (exp.Alias, exp.Select)):
            node.replace(exp.cast(node.copy(), "VARIANT"))
    if duckdb.__version__.startswith("1."):
        _guard_divisions(tree)
    # Last, since what it makes is text.
    tree = tree.transform(lambda node: from_json.expression(node) if isinstance(node, exp.FromJson) else node)
    if isinstance(tree, exp.Merge):
        _strip_target_alias(tree)
    if isinstance(tree, exp.Update):
        _unqualify_set(tree)
    sql = tree.sql("duckdb", unsupported_level=sqlglot.ErrorLevel.IGNORE, comments=False)
    if isinstance(tree, exp.Merge):
        delete = _as_delete(tree)
        if delete is not None:
            sql = delete.sql("duckdb", comments=False) + " RETURNING 'DELETE'"
        else:
            sql += " RETURNING merge_action"
    statement = Statement(tree, sql, kind, names)
    statement.source = source
    return statement


def _parse(text):
    try:
        trees = [tree for tree in sqlglot.parse(text, read="databricks") if tree is not None]
    except (ParseError, TokenError) as error:
        raise _syntax(text, error) from None
    trees = [tree for tree in trees if not isinstance(tree, exp.Semicolon)]
    if not trees:
        raise failures.syntax(text, "end of input")
    if len(trees) > 1:
        raise failures.syntax(text, f"'{trees[1].sql('databricks').split()[0]}': extra input")
    tree = trees[0]
    if not isinstance(tree, (exp.Query, exp.DML, exp.DDL, exp.Command, exp.Values, exp.Drop, exp.Alter, exp.Describe,
                             exp.Use, exp.TruncateTable, exp.Set, exp.Merge, exp.Comment, exp.Analyze)):
        # A lone word or expression parses, but is no statement.
        raise failures.syntax(text, f"'{text.split()[0]}'")
    return tree


def _syntax(text, error):
    stripped = re.sub(r"^(\s|/\*.*?\*/|--[^\n]*\n)*", "", text, flags=re.DOTALL)
    first = re.match(r"\w*", stripped).group(0)
    known = {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "VALUES", "FROM", "USE"}
    details = getattr(error, "errors", None) or [{}]
    if first.upper() not in known and first:
        return failures.syntax(text, f"'{first}'", 1 + text[: text.find(first)].count("\n"), 0)
    near = details[0].get("highlight") or "end of input"
    line = details[0].get("line") or 1
    column = max(0, (details[0].get("col") or 1) - len(near))
    return failures.syntax(text, near if near == "end of input" else f"'{near}'", line, column)


def _kind(tree):
    if isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return type(tree).__name__.lower()
    if isinstance(tree, (exp.Query, exp.Values)):
        return "query"
    if isinstance(tree, (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable, exp.Comment)):
        return "definition"
    return "command"


def _command(tree, text):
    if isinstance(tree, exp.Use):
        return "use"
    if isinstance(tree, exp.Describe):
        return "describe"
    match = _NAMES_COMMAND.match(text)
    if match and match.group(1).upper() == "SHOW":
        return "show"
    if re.match(r"\s*EXPLAIN\b", text, re.IGNORECASE):
        return "explain"
    raise failures.unsupported((text.split() or ["nothing"])[0].upper())


def _resolve_identifiers(text, parameters):
    """IDENTIFIER(:name) and IDENTIFIER('name') become the name itself, which must be nothing but a name."""

    def name(match):
        if match.group(1) is not None:
            if match.group(1) not in parameters:
                raise unbound(match.group(1))
            value = parameters[match.group(1)][0] or ""
        else:
            value = match.group(2)
        if not _NAME.match(value):
            raise failures.StatementFailed(
                "PARSE_SYNTAX_ERROR", f"Syntax error at or near '{value}': IDENTIFIER takes a name.", "42601"
            )
        return value

    return _IDENTIFIER.sub(name, text)


def unbound(name):
    return failures.StatementFailed(
        "UNBOUND_SQL_PARAMETER",
        f"Found the unbound parameter: {name}. Please, fix `args` and provide a mapping of the parameter to either a "
        "SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`.",
        "42P02",
    )


def _unsupported_parts(tree):
    for table in tree.find_all(exp.Table):
        if table.args.get("version") or table.args.get("when"):
            raise failures.unsupported("time travel")
    for column in tree.find_all(exp.ColumnDef):
        for constraint in column.args.get("constraints") or []:
            if isinstance(constraint.kind, exp.GeneratedAsIdentityColumnConstraint):
                raise failures.unsupported("identity columns")
    return tree


def _name_projections(tree):
    """Gives computed columns of the result the name that Databricks gives them: their own text."""
    select = tree
    while isinstance(select, exp.SetOperation):
        select = select.this
    if not isinstance(select, exp.Select):
        return
    named = []
    for projection in select.expressions:
        if isinstance(projection, exp.Dot) and not isinstance(projection.this, exp.Column):
            # A field of a computed struct has the field's name.
            named.append(exp.alias_(projection.copy(), projection.name, quoted=True))
            continue
        plain = isinstance(projection, (exp.Alias, exp.Aliases, exp.Column, exp.Star, exp.Dot, exp.Explode, exp.Inline))
        if plain or projection.is_star:
            named.append(projection)
            continue
        named.append(exp.alias_(projection.copy(), _title(projection), quoted=True))
    select.set("expressions", named)


def _as_delete(tree):
    """A MERGE of one unconditional DELETE may match a row more than once (Delta, MergeIntoCommandBase,
    isOnlyOneUnconditionalDelete); DuckDB's may not, its DELETE … USING may. None for any other MERGE."""
    whens = tree.args["whens"].expressions
    only = len(whens) == 1 and whens[0].args["matched"] and not whens[0].args.get("condition")
    if not only or whens[0].args["then"].name.upper() != "DELETE":
        return None
    return exp.Delete(this=tree.this.copy(), using=[tree.args["using"].copy()],
                      where=exp.Where(this=tree.args["on"].copy()))


def _name_ranges(tree):
    """The one column of range() is `id` on Databricks."""
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Anonymous) and table.this.name.lower() == "range":
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier("range"))
            if not alias.args.get("columns"):
                alias.set("columns", [exp.to_identifier("id")])
            table.set("alias", alias)


def _title(node):
    if isinstance(node, exp.Literal):
        return node.this
    if isinstance(node, exp.Boolean):
        return str(node.this).lower()
    if isinstance(node, (exp.CurrentDate, exp.CurrentTimestamp)) and not node.this:
        return "current_date()" if isinstance(node, exp.CurrentDate) else "current_timestamp()"
    copy = node.copy()
    for count in [copy, *copy.find_all(exp.Count)]:
        if isinstance(count, exp.Count) and isinstance(count.this, exp.Star):
            count.set("this", exp.Literal.number(1))
    text = copy.sql("databricks", normalize_functions="lower", comments=False)
    return f"({text})" if isinstance(node, exp.Binary) else text


def _catalogs(tree):
    """DuckDB reserves catalog names such as `main`, so every catalog carries a prefix inside the engine."""
    for table in list(tree.find_all(exp.Table)):
        catalog, schema = table.args.get("catalog"), table.args.get("db")
        if schema is not None and schema.name.lower() == "information_schema":
            # DuckDB's own covers all catalogs at once; a schema of views stands in for each catalog's.
            table.set("db", exp.to_identifier("information_schema_of"))
            table.set("catalog", catalog)
        if catalog is not None:
            table.set("catalog", exp.to_identifier("cat_" + catalog.name, quoted=True))
    for column in tree.find_all(exp.Column):
        if column.args.get("catalog") is not None:
            column.set("catalog", exp.to_identifier("cat_" + column.args["catalog"].name, quoted=True))
    return tree


def _node(node, parameters, names, kind):
    if isinstance(node, exp.Placeholder):
        if not node.this:
            raise failures.StatementFailed("UNBOUND_SQL_PARAMETER", "Found the unbound parameter: ?.", "42P02")
        name = node.name
        if name not in parameters:
            raise unbound(name)
        value, declared = parameters[name]
        target = data_type(declared)
        if value is None:
            return exp.cast(exp.Null(), target)
        if kind == "definition":
            # A stored definition cannot refer to a parameter.
            return exp.cast(exp.Literal.string(value), target)
        names.add(name)
        return exp.cast(exp.Placeholder(this=name), target)
    if isinstance(node, (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint)):
        return None
    if isinstance(node, exp.ComputedColumnConstraint) and not isinstance(node.this, exp.Paren):
        node.set("this", exp.paren(node.this.copy()))
        return node
    if isinstance(node, exp.ColumnDef):
        kept = [c for c in node.args.get("constraints") or []
                if not isinstance(c.kind, (exp.PrimaryKeyColumnConstraint, exp.CommentColumnConstraint, exp.Reference))]
        node.set("constraints", kept)
        return node
    if isinstance(node, exp.Schema):
        # Primary and foreign keys are informational on Databricks: declared, never enforced.
        node.set("expressions", [e for e in node.expressions if not isinstance(e, (exp.PrimaryKey, exp.ForeignKey)) and
                                 not (isinstance(e, exp.Constraint) and e.find(exp.PrimaryKey, exp.ForeignKey))])
        return node
    return node


def _guard_divisions(tree):
    """DuckDB 1, which Python 3.10 gets, answers NULL or infinity where later ones and Databricks fail."""
    for node in list(tree.find_all(exp.Div, exp.IntDiv, exp.Mod)):
        divisor = node.expression
        failing = exp.Anonymous(this="error", expressions=[exp.Literal.string("Division by zero")])
        zero = exp.EQ(this=exp.paren(divisor.copy()), expression=exp.Literal.number(0))
        node.set("expression", exp.paren(exp.Case().when(zero, failing).else_(divisor.copy())))


def _void(tree):
    """Positions of columns that are a bare NULL, whose type DuckDB 1 calls INTEGER."""
    if not isinstance(tree, exp.Select) or any(projection.is_star for projection in tree.expressions):
        return []
    return [i for i, projection in enumerate(tree.expressions) if isinstance(projection.unalias(), exp.Null)]


def _as_cast(node):
    if isinstance(node, exp.Anonymous):
        if node.name.lower() == "raise_error" and len(node.expressions) == 1:
            text = exp.DPipe(this=exp.Literal.string(failures.RAISED), expression=node.expressions[0].copy())
            node.replace(exp.Anonymous(this="error", expressions=[text]))
        elif node.name.lower() in _CASTS and len(node.expressions) == 1:
            node.replace(exp.cast(node.expressions[0].copy(), data_type(node.name)))
        return
    # Spark adds days to a DATE and has a DATE; DuckDB has a TIMESTAMP.
    if node.text("unit").upper() in ("", "DAY") and not isinstance(node.parent, exp.Cast):
        node.replace(exp.cast(node.copy(), "DATE"))


def data_type(text):
    """A SQL type as declared on a parameter; nested types are refused as the API refuses them."""
    try:
        parsed = exp.DataType.build(text or "STRING", dialect="databricks")
    except (ParseError, TokenError, ValueError):
        raise failures.StatementFailed("UNSUPPORTED_DATATYPE", f"Unsupported data type \"{text}\".", "0A000") from None
    if parsed.is_type("array", "map", "struct", "object"):
        raise failures.StatementFailed("UNSUPPORTED_DATATYPE", f"Unsupported parameter type \"{text}\".", "0A000")
    return parsed


def _strip_target_alias(tree):
    """DuckDB takes no qualifier before the column that a MERGE sets."""
    for when in tree.find_all(exp.When):
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            _unqualify_set(then)


def _unqualify_set(update):
    for assignment in update.expressions:
        if isinstance(assignment, exp.EQ) and isinstance(assignment.this, exp.Column):
            assignment.set("this", exp.column(assignment.this.this.copy()))
