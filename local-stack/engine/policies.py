"""Row filters and column masks, and the functions that ask who runs a statement.

Forms (Databricks SQL reference: CREATE FUNCTION, ALTER TABLE, "ROW FILTER clause", "Column mask clause"):

  CREATE [OR REPLACE] FUNCTION f(a TYPE, …) [RETURNS TYPE] RETURN expression
  ALTER TABLE t SET ROW FILTER f ON (column, …)           ALTER TABLE t DROP ROW FILTER
  ALTER TABLE t ALTER COLUMN c SET MASK f [USING COLUMNS (column, …)]      … DROP MASK

Wherever a table with a policy is read, a subquery stands in for it that keeps the rows the filter keeps and shows what
the masks show, to whoever runs the statement: `current_user()`, `session_user()`, `is_account_group_member('g')` and
`is_member('g')` are what the request's `who` says. What this does not do: functions are used in policies only and hold
one expression without subqueries; a statement that changes a table with a policy is refused unless it only inserts;
a view asks nobody who reads it, so that such functions are refused inside one.
"""

import re
import threading

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

import failures

_NAME = r"(?:`[^`]+`|\w+)(?:\.(?:`[^`]+`|\w+)){0,2}"
_LIST = r"\(([^()]*)\)"
_FUNCTION = re.compile(
    rf"\s*CREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\s+({_NAME})\s*{_LIST}\s*(?:RETURNS\s+\w+(?:\([\d, ]*\))?\s+)?RETURN\s+(.*?);?\s*\Z",
    re.IGNORECASE | re.DOTALL)
_SET_FILTER = re.compile(rf"\s*ALTER\s+TABLE\s+({_NAME})\s+SET\s+ROW\s+FILTER\s+({_NAME})\s+ON\s*{_LIST}\s*;?\s*\Z", re.I)
_DROP_FILTER = re.compile(rf"\s*ALTER\s+TABLE\s+({_NAME})\s+DROP\s+ROW\s+FILTER\s*;?\s*\Z", re.I)
_SET_MASK = re.compile(rf"\s*ALTER\s+TABLE\s+({_NAME})\s+ALTER\s+COLUMN\s+(`[^`]+`|\w+)\s+SET\s+MASK\s+({_NAME})"
                       rf"(?:\s+USING\s+COLUMNS\s*{_LIST})?\s*;?\s*\Z", re.I)
_DROP_MASK = re.compile(rf"\s*ALTER\s+TABLE\s+({_NAME})\s+ALTER\s+COLUMN\s+(`[^`]+`|\w+)\s+DROP\s+MASK\s*;?\s*\Z", re.I)
_ASKS_WHO = ("current_user", "session_user", "user", "is_account_group_member", "is_member")


class Who:
    """Whoever runs a statement."""

    def __init__(self, request):
        who = request.get("who") or {}
        self.name, self.groups = who.get("name") or "", set(who.get("groups") or [])


class Policies:
    """The policies of one lakehouse. Names compare without case."""

    def __init__(self):
        self._lock = threading.Lock()
        self._functions, self._filters, self._masks = {}, {}, {}

    def note(self, lakehouse, session, request):
        """Takes in a statement that is about policies; False for any other."""
        text = request["statement"]
        place = lambda name: _place(name, request)
        if match := _FUNCTION.match(text):
            names = [part.split()[0].strip("`").lower() for part in match.group(2).split(",") if part.strip()]
            body = _expression(match.group(3))
            with self._lock:
                self._functions[place(match.group(1))] = (names, body)
        elif match := _SET_FILTER.match(text):
            table = _table(session, place(match.group(1)))
            function = self._function(place(match.group(2)))
            with self._lock:
                self._filters[table] = (function, _columns(match.group(3)))
        elif match := _DROP_FILTER.match(text):
            with self._lock:
                self._filters.pop(place(match.group(1)), None)
        elif match := _SET_MASK.match(text):
            table, column = _table(session, place(match.group(1))), match.group(2).strip("`").lower()
            function = self._function(place(match.group(3)))
            with self._lock:
                self._masks.setdefault(table, {})[column] = (function, [column, *_columns(match.group(4) or "")])
        elif match := _DROP_MASK.match(text):
            with self._lock:
                self._masks.get(place(match.group(1)), {}).pop(match.group(2).strip("`").lower(), None)
        else:
            return False
        return True

    def _function(self, place):
        with self._lock:
            if place not in self._functions:
                name = ".".join(f"`{part}`" for part in place)
                raise failures.StatementFailed(
                    "UNRESOLVED_ROUTINE", f"Cannot resolve routine {name} on search path.", "42883")
        return place

    def apply(self, tree, who, request):
        """The tree with policies in place of what they guard. Catalogs carry the engine's prefix already."""
        stored = isinstance(tree, exp.Create)
        with self._lock:
            guarded = {*self._filters, *(table for table, masks in self._masks.items() if masks)}
        if guarded:
            target = _target(tree)
            own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
            for table in list(tree.find_all(exp.Table)):
                if not table.name or (not table.db and table.name.lower() in own):
                    continue
                place = _place_of(table, request)
                if place not in guarded:
                    continue
                if table is target:
                    if not isinstance(tree, exp.Insert):
                        raise failures.unsupported("changing a table that has a row filter or a mask")
                    continue
                if stored:
                    raise failures.unsupported("a definition that reads a table with a row filter or a mask")
                table.replace(self._guarded(table, place))
        return _told(tree, who, stored)

    def _guarded(self, table, place):
        alias = table.alias or table.name
        bare = exp.Table(this=table.this.copy(), db=table.args.get("db"), catalog=table.args.get("catalog"))
        name = bare.sql("duckdb")
        with self._lock:
            masks = {column: self._call(*call) for column, call in self._masks.get(place, {}).items()}
            kept = self._call(*self._filters[place]) if place in self._filters else None
        shown = ", ".join(f'{mask.sql("databricks")} AS `{column}`' for column, mask in masks.items())
        star = f"* REPLACE ({shown})" if masks else "*"
        query = _parsed(f"SELECT {star} FROM guarded")
        query.find(exp.Table).replace(sqlglot.parse_one(name, read="duckdb", into=exp.Table))
        if kept is not None:
            query = query.where(kept)
        return query.subquery(alias)

    def _call(self, function, columns):
        """The function's expression, of these columns."""
        names, body = self._functions[function]
        given = dict(zip(names, columns))
        body = body.copy()
        for column in list(body.find_all(exp.Column)):
            name = given.get(column.name.lower())
            if name is not None and not column.table:
                column.set("this", exp.to_identifier(name, quoted=True))
        return exp.paren(body)

    def show(self, info, catalog, schema, table):
        """Adds what a TableInfo says of policies (SDK, catalog.py: TableRowFilter, ColumnMask)."""
        place = tuple(part.lower() for part in (catalog, schema, table))
        with self._lock:
            row_filter, masks = self._filters.get(place), dict(self._masks.get(place, {}))
        if row_filter:
            info["row_filter"] = {"function_name": ".".join(row_filter[0]), "input_column_names": row_filter[1]}
        for column in info["columns"]:
            if mask := masks.get(column["name"].lower()):
                column["mask"] = {"function_name": ".".join(mask[0]), "using_column_names": mask[1][1:]}


def _told(tree, who, stored):
    """Who runs the statement, in place of the functions that ask."""
    for node in list(tree.find_all(exp.CurrentUser, exp.Func)):
        name = "current_user" if isinstance(node, exp.CurrentUser) else (
            node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
        if name not in _ASKS_WHO:
            continue
        if stored:
            raise failures.unsupported(f"{name}() in a definition")
        if name in ("current_user", "session_user", "user"):
            told = exp.Literal.string(who.name)
        elif node.expressions and isinstance(node.expressions[0], exp.Literal):
            told = exp.Boolean(this=node.expressions[0].this in who.groups)
        else:
            raise failures.unsupported(f"{name} of anything but a literal")
        if node is tree:
            return told
        node.replace(told)
    return tree


def _target(tree):
    """The table that a statement changes."""
    if not isinstance(tree, (exp.Insert, exp.Update, exp.Delete, exp.Merge)):
        return None
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return target if isinstance(target, exp.Table) else None


def _place(name, request):
    parts = [part.strip("`").lower() for part in name.split(".")]
    return tuple([(request.get("catalog") or "main").lower(), (request.get("schema") or "default").lower(), *parts][-3:])


def _place_of(table, request):
    catalog = table.catalog.removeprefix("cat_") or request.get("catalog") or "main"
    return tuple(part.lower() for part in (catalog, table.db or request.get("schema") or "default", table.name))


def _table(session, place):
    import commands

    if commands.types(session, *place) is None:
        raise failures.no_table(place)
    return place


def _columns(text):
    return [part.strip().strip("`").lower() for part in text.split(",") if part.strip()]


def _expression(text):
    body = _parsed(f"SELECT {text}").expressions[0]
    if body.find(exp.Query):
        raise failures.unsupported("a function with a subquery")
    return body


def _parsed(text):
    try:
        return sqlglot.parse_one(text, read="databricks")
    except (ParseError, TokenError):
        raise failures.syntax(text, "end of input") from None
