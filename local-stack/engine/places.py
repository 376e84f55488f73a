"""Where in a statement's text a name stands, for failures that name its line and place. Runs nothing."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError


def of_table(text, name):
    """(the name as it was written, with backticks; line; place) of the first table of this name; None if not found."""
    return _first(text, exp.Table, name)


def of_column(text, name):
    return _first(text, exp.Column, name)


def _first(text, kind, name):
    try:
        trees = sqlglot.parse(text, read="databricks")
    except SqlglotError:
        return None
    wanted = name.strip("\"'!.").split(".")[-1].lower()
    for tree in filter(None, trees):
        for node in tree.find_all(kind):
            start = node.parts[0].meta.get("start") if node.parts and isinstance(node.parts[0], exp.Identifier) else None
            if node.name.lower() == wanted and start is not None:
                before = text[:start]
                line = before.count("\n") + 1
                return ".".join(map(quoted, (part.name for part in node.parts))), line, len(before) - (before.rfind("\n") + 1)
    return None


def quoted(name):
    return "`" + name.replace("`", "``") + "`"
