"""What tables declare and DuckDB does not keep: keys, comments, defaults, partitions. Runs nothing.

Keys are informational on Databricks: declared, shown by Unity Catalog, never enforced, except that the columns of a
primary key are NOT NULL (SQL reference, CONSTRAINT clause).
"""

import threading

from sqlglot import exp


class Declared:
    """The declarations of one lakehouse. Names compare without case, as Unity Catalog's do."""

    def __init__(self):
        self._lock = threading.Lock()
        self._tables = {}

    def of(self, catalog, schema, table):
        with self._lock:
            return self._tables.get(_key(catalog, schema, table)) or _nothing()

    def declare(self, catalog, schema, table, **members):
        """For the sample, which is not made by statements of Databricks."""
        with self._lock:
            self._tables.setdefault(_key(catalog, schema, table), _nothing()).update(members)

    def note(self, tree, catalog, schema, existed):
        """Takes in what a definition declared, once it has succeeded. `existed` of the table that it creates."""
        with self._lock:
            if isinstance(tree, exp.Create) and tree.kind == "TABLE" and not (existed and tree.args.get("exists")):
                self._tables[_place(tree.find(exp.Table), catalog, schema)] = _of_create(tree, catalog, schema)
            elif isinstance(tree, exp.Drop) and tree.kind == "TABLE":
                for table in tree.args.get("tables") or []:
                    self._tables.pop(_place(table, catalog, schema), None)
            elif isinstance(tree, exp.Alter):
                self._alter(tree, catalog, schema)
            elif isinstance(tree, exp.Comment):
                self._comment(tree, catalog, schema)

    def _alter(self, tree, catalog, schema):
        place = _place(tree.this, catalog, schema)
        known = self._tables.setdefault(place, _nothing())
        for action in tree.args.get("actions") or []:
            if isinstance(action, exp.AddConstraint):
                for constraint in action.expressions:
                    _constraint(known, constraint, catalog, schema)
            elif isinstance(action, exp.Drop) and action.kind == "CONSTRAINT":
                for gone in action.args.get("tables") or []:
                    known["constraints"] = [one for one in known["constraints"] if _name_of(one) != gone.name]
            elif isinstance(action, exp.AlterColumn) and action.args.get("comment") is not None:
                known["comments"][action.this.name] = action.args["comment"].name
            elif isinstance(action, exp.AlterRename):
                self._tables[_place(action.this, catalog, schema)] = self._tables.pop(place)

    def _comment(self, tree, catalog, schema):
        if isinstance(tree.this, exp.Column):
            parts = [part.name for part in tree.this.parts]
            table = exp.table_(*reversed(parts[:-1]))
            self._tables.setdefault(_place(table, catalog, schema), _nothing())["comments"][parts[-1]] = tree.expression.name
        elif isinstance(tree.this, exp.Table):
            self._tables.setdefault(_place(tree.this, catalog, schema), _nothing())["comment"] = tree.expression.name


def only_declares(tree):
    """Whether DuckDB has nothing to do: the definition is of keys or comments alone."""
    if isinstance(tree, exp.Comment):
        return True
    actions = tree.args.get("actions") if isinstance(tree, exp.Alter) else None
    return bool(actions) and all(
        (isinstance(action, exp.AddConstraint) and not action.find(exp.CheckColumnConstraint))
        or (isinstance(action, exp.Drop) and action.kind == "CONSTRAINT")
        or (isinstance(action, exp.AlterColumn) and action.args.get("comment") is not None)
        for action in actions
    )


def keys_are_not_null(tree):
    """Columns of a primary key become NOT NULL, as they do implicitly on Databricks."""
    names = [name for one in _of_create(tree, "", "")["constraints"] for name in
             one.get("primary_key_constraint", {}).get("child_columns", [])]
    for column in tree.find_all(exp.ColumnDef):
        kinds = [type(constraint.kind) for constraint in column.args.get("constraints") or []]
        if column.name in names and exp.NotNullColumnConstraint not in kinds:
            column.append("constraints", exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))


def _nothing():
    return {"comment": None, "comments": {}, "constraints": [], "partitions": [], "metadata": {}}


def _of_create(tree, catalog, schema):
    known = _nothing()
    table = tree.find(exp.Table)
    for node in tree.this.expressions if isinstance(tree.this, exp.Schema) else []:
        if isinstance(node, exp.ColumnDef):
            _column(known, node, catalog, schema)
        else:
            _constraint(known, node, catalog, schema)
    for member in known["constraints"]:
        for kind, suffix in (("primary_key_constraint", "pk"), ("foreign_key_constraint", "fk")):
            if kind in member and not member[kind]["name"]:
                member[kind]["name"] = f"{table.name}_{suffix}"
    for one in tree.args["properties"].expressions if tree.args.get("properties") else []:
        if isinstance(one, exp.SchemaCommentProperty):
            known["comment"] = one.this.name
        elif isinstance(one, exp.PartitionedByProperty):
            known["partitions"] = [column.name for column in one.this.expressions]
    return known


def _column(known, column, catalog, schema):
    for constraint in column.args.get("constraints") or []:
        kind, name = constraint.kind, constraint.name
        if isinstance(kind, exp.CommentColumnConstraint):
            known["comments"][column.name] = kind.this.name
        elif isinstance(kind, exp.PrimaryKeyColumnConstraint):
            known["constraints"].append(_primary(name, [column.name]))
        elif isinstance(kind, exp.Reference):
            known["constraints"].append(_foreign(name, [column.name], kind, catalog, schema))
        elif isinstance(kind, exp.DefaultColumnConstraint):
            # The keys of Delta's protocol ("Default Columns", "Generated Columns").
            text = kind.this.sql("databricks")
            known["metadata"][column.name] = {"CURRENT_DEFAULT": text, "EXISTS_DEFAULT": text}
        elif isinstance(kind, exp.ComputedColumnConstraint):
            known["metadata"][column.name] = {"delta.generationExpression": kind.this.sql("databricks")}


def _constraint(known, node, catalog, schema):
    name = node.name if isinstance(node, exp.Constraint) else ""
    for one in node.expressions if isinstance(node, exp.Constraint) else [node]:
        if isinstance(one, exp.PrimaryKey):
            known["constraints"].append(_primary(name, [column.name for column in one.expressions]))
        elif isinstance(one, exp.ForeignKey):
            columns = [column.name for column in one.expressions]
            known["constraints"].append(_foreign(name, columns, one.args["reference"], catalog, schema))


def _primary(name, columns):
    return {"primary_key_constraint": {"name": name, "child_columns": columns}}


def _foreign(name, columns, reference, catalog, schema):
    parent = reference.this
    table = parent.this if isinstance(parent, exp.Schema) else parent
    named = ".".join((table.catalog or catalog, table.db or schema, table.name))
    there = [column.name for column in parent.expressions] if isinstance(parent, exp.Schema) else columns
    return {"foreign_key_constraint": {"name": name, "child_columns": columns, "parent_table": named,
                                       "parent_columns": there}}


def _name_of(constraint):
    return next(iter(constraint.values()))["name"]


def _place(table, catalog, schema):
    return _key(table.catalog or catalog, table.db or schema, table.name)


def _key(catalog, schema, table):
    return catalog.lower(), schema.lower(), table.lower()
