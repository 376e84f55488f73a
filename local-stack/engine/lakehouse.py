"""One lakehouse: catalogs in a DuckDB of their own, and the running of statements. Knows no protocol."""

import json
import threading

import duckdb
from sqlglot import exp

import arrow
import commands
import commits
import declared
import failures
import policies
import sample
import translate
import values

_BATCH = 8192


class Lakehouse:
    def __init__(self, seeded=True):
        self.root = duckdb.connect(":memory:", config={"threads": 2})
        self.lock = threading.Lock()
        self.declared = declared.Declared()
        self.commits = commits.Commits()
        self.policies = policies.Policies()
        self.root.execute("SET autoinstall_known_extensions = false")
        self.root.execute("SET python_enable_replacements = false")
        self.root.execute("SET TimeZone = 'UTC'")
        self.catalog("main")
        if seeded:
            sample.fill(self.root)
            sample.declare(self.declared)

    def catalog(self, name):
        self.root.execute(f"ATTACH ':memory:' AS cat_{name}")
        self.root.execute(f'CREATE SCHEMA cat_{name}."default"')
        commands.information_schema(self.root, name)

    def session(self, catalog, schema, zone):
        with self.lock:
            session = self.root.cursor()
        session.execute("SET python_enable_replacements = false")
        session.execute("SET ieee_floating_point_ops = false")
        session.execute(f"SET TimeZone = '{zone}'")
        catalog, schema = (part.replace('"', '""') for part in (catalog or "main", schema or "default"))
        try:
            session.execute(f'USE "cat_{catalog}"."{schema}"')
        except duckdb.Error as error:
            raise failures.from_duckdb(error) from None
        return session


class Result:
    """What a statement gave: columns and chunks of rows, each chunk already JSON text."""

    def __init__(self, columns=None, chunks=None, rows=0, truncated=False, size=0):
        self.columns, self.chunks, self.rows, self.truncated, self.size = columns, chunks or [], rows, truncated, size

    @classmethod
    def of(cls, columns, rows):
        """A small table of ready-made cells: columns as (name, type_name, type_text)."""
        described = [
            {"name": name, "type_text": type_text, "type_name": type_name, "position": position}
            for position, (name, type_name, type_text) in enumerate(columns)
        ]
        chunks = [(len(rows), _json(rows))] if rows else []
        return cls(described, chunks, len(rows), False, sum(len(text) for _, text in chunks))


def run(lakehouse, session, request):
    """Runs one statement. `request` has statement, parameters and the limits of the API."""
    parameters = {p["name"]: (p.get("value"), p.get("type")) for p in request.get("parameters") or []}
    if lakehouse.policies.note(lakehouse, session, request):
        return Result()
    who = policies.Who(request)
    guard = lambda tree: lakehouse.policies.apply(tree, who, request)
    statement = translate.translate(request["statement"], parameters, guard)
    _check_rights(statement.tree, request)
    zone = request.get("timeZone") or "UTC"
    bound = {name: parameters[name][0] for name in statement.names}
    try:
        if statement.kind == "query":
            session.execute(statement.sql, bound or None)
            if request.get("format") != "ARROW_STREAM":
                return _rows(session, zone, request, statement.void)
            again = lambda text: session.execute(text.format(statement.sql), bound or None)
            return arrow.rows(session, zone, request, statement.void, again)
        if statement.kind in ("show", "describe", "use", "explain"):
            return commands.run(lakehouse, session, statement, request)
        if statement.kind == "definition":
            return _definition(lakehouse, session, statement, request)
        return _change(lakehouse, session, statement, bound, request)
    except duckdb.Error as error:
        raise failures.from_duckdb(error, request["statement"], _catalogs(session)) from None


def _catalogs(session):
    try:
        return commands.catalogs(session)
    except duckdb.Error:
        return None


def _check_rights(tree, request):
    """USE CATALOG, USE SCHEMA and SELECT on every table that is named, where one was revoked."""
    denied = set(request.get("denied") or [])
    if not denied:
        return
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not table.name or (not table.db and table.name in own):
            continue
        place = [table.catalog.removeprefix("cat_") or request.get("catalog") or "main",
                 table.db or request.get("schema") or "default", table.name]
        for length in (1, 2, 3):
            if ".".join(place[:length]).lower() in denied:
                raise failures.denied(place[:length])


def _definition(lakehouse, session, statement, request):
    catalog, schema = request.get("catalog") or "main", request.get("schema") or "default"
    existed = statement.creates is not None and _exists(session, statement.creates, catalog, schema)
    if not declared.only_declares(statement.tree):
        _define(session, statement)
    elif not _exists(session, statement.tree.find(exp.Table) or statement.tree.this, catalog, schema):
        session.execute("SELECT 1 FROM " + statement.tree.find(exp.Table).sql("duckdb"))
    lakehouse.declared.note(statement.source, catalog, schema, existed)
    if isinstance(statement.tree, exp.Alter):
        log = lakehouse.commits.log(commits.place_of(statement.tree.this, request))
        with log.lock:
            log.note("ALTER TABLE", None)
    return Result()


def _exists(session, table, catalog, schema):
    if not isinstance(table, exp.Table):
        return True
    place = (table.catalog.removeprefix("cat_") or catalog, table.db or schema, table.name)
    return commands.types(session, *place) is not None


def _define(session, statement):
    tree = statement.tree
    listed = tree.args.get("actions") if isinstance(tree, exp.Alter) else None
    if not (listed and isinstance(listed[0], exp.Schema)):
        session.execute(statement.sql)
        return
    # ADD COLUMNS (a INT, b INT): DuckDB adds one at a time.
    session.execute("BEGIN")
    try:
        for column in listed[0].expressions:
            one = tree.copy()
            one.set("actions", [column.copy()])
            session.execute(one.sql("duckdb", comments=False))
        session.execute("COMMIT")
    except BaseException:
        session.execute("ROLLBACK")
        raise


def _change(lakehouse, session, statement, bound, request):
    number = ("LONG", "BIGINT")
    if statement.kind == "merge":
        actions = [row[0] for row in commits.change(lakehouse, session, statement, bound, request)]
        counts = [len(actions), *(actions.count(action) for action in ("UPDATE", "DELETE", "INSERT"))]
        names = ["num_affected_rows", "num_updated_rows", "num_deleted_rows", "num_inserted_rows"]
        return Result.of([(name, *number) for name in names], [[str(count) for count in counts]])
    if statement.kind in ("update", "delete"):
        count = str(commits.change(lakehouse, session, statement, bound, request)[0][0])
        return Result.of([("num_affected_rows", *number)], [[count]])
    log = lakehouse.commits.log(commits.place_of(commits.target_of(statement.tree), request))
    if statement.tree.args.get("overwrite"):
        with log.lock:
            result = _overwrite(session, statement, bound)
            log.note("INSERT OVERWRITE", None)
        return result
    lakehouse.commits.wait(request)
    session.execute(statement.sql, bound or None)
    count = str(session.fetchone()[0])
    with log.lock:
        log.note("WRITE")
    return Result.of([("num_affected_rows", *number), ("num_inserted_rows", *number)], [[count, count]])


def _overwrite(session, statement, bound):
    """INSERT OVERWRITE replaces all rows in one transaction."""
    tree = statement.tree.copy()
    tree.set("overwrite", False)
    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    session.execute("BEGIN")
    try:
        session.execute("DELETE FROM " + target.sql("duckdb"))
        session.execute(tree.sql("duckdb", comments=False), bound or None)
        count = str(session.fetchone()[0])
        session.execute("COMMIT")
    except BaseException:
        session.execute("ROLLBACK")
        raise
    number = ("LONG", "BIGINT")
    return Result.of([("num_affected_rows", *number), ("num_inserted_rows", *number)], [[count, count]])


def _rows(session, zone, request, void):
    kinds = [entry[1] for entry in session.description]
    columns = [values.column(failures.shown(entry[0]), i, entry[1]) for i, entry in enumerate(session.description)]
    for position in void:
        columns[position].update(type_text="VOID", type_name="NULL")
    zone = values.zone_of(zone)
    writers = [values.writer(kind, zone, request.get("binary")) for kind in kinds]
    chunk_rows = request.get("chunkRows") or 32768
    row_limit, byte_limit, most_bytes = (request.get(name) for name in ("rowLimit", "byteLimit", "maxBytes"))
    result = Result(columns)
    pending = []
    while True:
        batch = session.fetchmany(_BATCH)
        if row_limit is not None and result.rows + len(batch) > row_limit:
            batch = batch[: row_limit - result.rows]
            result.truncated = True
        if batch:
            cells = [
                [None if value is None else write(value) for value in column]
                for write, column in zip(writers, zip(*batch))
            ]
            rows = list(zip(*cells))
            if most_bytes is not None:
                rows, result.truncated = _within(rows, most_bytes - result.size, result.truncated)
            result.rows += len(rows)
            result.size += sum(len(cell) for row in rows for cell in row if cell is not None)
            if byte_limit is not None and result.size > byte_limit:
                raise failures.TooLarge(byte_limit)
            pending.extend(rows)
        last = not batch or result.truncated
        while len(pending) >= chunk_rows or (last and pending):
            result.chunks.append((len(pending[:chunk_rows]), _json(pending[:chunk_rows])))
            pending = pending[chunk_rows:]
        if last:
            return result


def _within(rows, space, truncated):
    """The rows that fit into so many bytes, and whether some did not."""
    for index, row in enumerate(rows):
        space -= sum(len(cell) for cell in row if cell is not None)
        if space < 0:
            return rows[:index], True
    return rows, truncated


def _json(rows):
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
