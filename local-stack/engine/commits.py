"""Writes as Delta commits them: each reads a snapshot, the first to commit wins, and whoever then finds that rows
which it read or wrote have changed fails with SQLSTATE 2D521 and writes nothing.

DuckDB alone would let a DELETE overtake an UPDATE of the same row. The rules are those of tables with row-level
concurrency in WriteSerializable (Databricks, "Row-level concurrency"): UPDATE, DELETE and MERGE conflict where they
modify the same rows, a MERGE also with rows that another MERGE has put where it would have; a plain INSERT conflicts
with nothing; a change of the table's metadata with every write.
"""

import re
import threading
from contextlib import contextmanager

from sqlglot import exp

import failures

_DOC = "https://docs.databricks.com/delta/isolation-level.html"
_ALL = None


class Commits:
    """The commit logs of one lakehouse, and the statements that a test holds between their snapshot and their commit."""

    def __init__(self):
        self._tables = {}
        self._lock = threading.Lock()
        self._holds = []
        self._held = 0

    def log(self, place):
        with self._lock:
            return self._tables.setdefault(tuple(part.lower() for part in place), Log(".".join(place)))

    def hold(self, contains):
        with self._lock:
            self._holds.append((contains, threading.Event()))

    def release(self):
        with self._lock:
            holds, self._holds = self._holds, []
        for _, released in holds:
            released.set()

    def held(self):
        """How many statements wait now, their snapshot taken."""
        return self._held

    def wait(self, request):
        with self._lock:
            mine = [released for contains, released in self._holds if contains in request["statement"]]
            self._held += bool(mine)
        if not mine:
            return
        canceled = request.get("canceled") or (lambda: False)
        try:
            while not mine[0].wait(0.02):
                if canceled():
                    raise failures.Canceled()
        finally:
            with self._lock:
                self._held -= 1


class Log:
    """What has been committed to one table: (version, operation, rows). Rows are None for the whole table."""

    def __init__(self, name):
        self.name, self.version, self.commits = name, 0, []
        self.lock = threading.Lock()
        self._open = []

    @contextmanager
    def reading(self):
        """A snapshot of the version that it gives; what is committed after it is kept until the end."""
        with self.lock:
            began = self.version
            self._open.append(began)
        try:
            yield began
        finally:
            with self.lock:
                self._open.remove(began)
                oldest = min(self._open, default=self.version)
                self.commits = [commit for commit in self.commits if commit[0] > oldest]

    def note(self, operation, rows=frozenset(), inserted=0):
        """A commit; the caller holds the lock."""
        self.version += 1
        if self._open and (rows is _ALL or rows or inserted):
            self.commits.append((self.version, operation, rows, inserted))

    def check(self, began, rows, appeared):
        """Fails when a later commit stands against a write of these rows. `appeared` tells rows that fit by now."""
        for version, operation, changed, inserted in self.commits:
            if version <= began:
                continue
            if operation == "ALTER TABLE":
                raise _metadata_changed()
            if changed is _ALL or changed & rows:
                raise _conflict(self.name, operation, version, changed)
            if inserted and appeared():
                raise _conflict(self.name, operation, version, changed)


def _conflict(table, operation, version, changed):
    """The words of the error conditions in Databricks' documentation, as also seen from a real MERGE."""
    if operation == "DELETE":
        error_class = "DELTA_CONCURRENT_DELETE_READ.ROW_LEVEL_CHANGES"
        what = f"A concurrent {operation} deleted data from table {table} committed at version {version}."
    else:
        kind = "WHOLE_TABLE_REPLACE" if changed is _ALL else "ROW_LEVEL_CHANGES"
        error_class = f"DELTA_CONCURRENT_APPEND.{kind}"
        what = f"A concurrent {operation} added data to table {table} committed at version {version}."
    why = ("The concurrent operation replaced the entire table." if changed is _ALL else
           "The concurrent operation modified the same rows that this transaction attempted to modify.")
    return failures.StatementFailed(
        error_class,
        f"Transaction conflict detected. {what} {why} Please retry the operation. Refer to {_DOC} for more information.",
        "2D521",
    )


def _metadata_changed():
    """delta-error-classes.json, DELTA_METADATA_CHANGED."""
    return failures.StatementFailed(
        "DELTA_METADATA_CHANGED",
        "MetadataChangedException: The metadata of the Delta table has been changed by a concurrent update. Please try "
        f"the operation again.\nRefer to {_DOC} for more details.",
        "2D521",
    )


def place_of(table, request):
    """(catalog, schema, name) of a table as the engine names it."""
    return (table.catalog.removeprefix("cat_") or request.get("catalog") or "main",
            table.db or request.get("schema") or "default", table.name)


def target_of(tree):
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return target if isinstance(target, exp.Table) else tree.find(exp.Table)


def change(lakehouse, session, statement, bound, request):
    """Runs an UPDATE, DELETE or MERGE as one commit, and gives what DuckDB answered."""
    tree = statement.tree
    log = lakehouse.commits.log(place_of(target_of(tree), request))
    rows_of = _rows_read(tree)
    rows_bound = {name: bound[name] for name in set(re.findall(r"\$(\w+)", rows_of)) & set(bound)}
    with log.reading() as began:
        session.execute("BEGIN")
        try:
            rows = {row[0] for row in session.execute(rows_of, rows_bound or None).fetchall()}
            lakehouse.commits.wait(request)

            def appeared():
                fresh = lakehouse.session(request.get("catalog"), request.get("schema"), request.get("timeZone") or "UTC")
                try:
                    now = {row[0] for row in fresh.execute(rows_of, rows_bound or None).fetchall()}
                finally:
                    fresh.close()
                return bool(now - rows)

            with log.lock:
                log.check(began, rows, appeared)
                session.execute(statement.sql, bound or None)
                answer = session.fetchall()
                session.execute("COMMIT")
                inserted = sum(row[0] == "INSERT" for row in answer) if statement.kind == "merge" else 0
                log.note(statement.kind.upper(), frozenset(rows), inserted)
            return answer
        except BaseException:
            _roll_back(session)
            raise


def _roll_back(session):
    try:
        session.execute("ROLLBACK")
    except Exception:  # the engine has done it already
        pass


def _rows_read(tree):
    """The ids of the rows that a write finds, as text: it takes the snapshot, too."""
    target = target_of(tree).copy()
    name = target.alias_or_name
    target.set("joins", None)
    select = exp.select(exp.column("rowid", table=exp.to_identifier(name, quoted=True)), dialect="duckdb").from_(target)
    if isinstance(tree, exp.Merge):
        whole = any(when.args.get("source") for when in tree.args["whens"].expressions)
        if not whole:
            select = select.join(tree.args["using"].copy(), on=tree.args["on"].copy())
    else:
        others = tree.args.get("using") or ([tree.args["from_"].this] if tree.args.get("from_") else [])
        for other in others:
            select = select.join(other.copy(), join_type="cross")
        if tree.args.get("where"):
            select = select.where(tree.args["where"].this.copy())
    return select.sql("duckdb", comments=False)
