"""The SQL engine of the local stack: requests as JSON lines on stdin, replies as JSON lines on stdout.

Every request has an `id` and an `op`; its reply has the same `id`. Requests run at the same time. The end of stdin
is the end of the worker. Knows the protocol between the two and nothing of HTTP.

  open      {lakehouse}                        a lakehouse of its own, with the sample data
  close     {lakehouse}
  execute   {lakehouse, statement, parameters, catalog, schema, timeZone, rowLimit, maxBytes, byteLimit, chunkRows}
            -> {columns: [...] | null, chunks: [{rows, data}], rowCount, truncated}
            with {format: "ARROW_STREAM", batchRows, compression, frames: "message" | "chunk", folder}
            -> {columns, chunks: [{rows, bytes, file}], …}: a file in that folder for each chunk
  script    {lakehouse, source, parameters}    a job's Python task -> {result, logs} or an error with its trace
  metadata  {lakehouse, catalog?, schema?, table?}
  commits   {lakehouse, hold?, release?}       holds writes that contain a text before they commit -> {held}
  cancel    {target}                           interrupts the request with that id
"""

import json
import logging
import os
import sys
import threading
import time
import traceback

import arrow
import commands
import failures
import positions
import scripts
import unity
from lakehouse import Lakehouse, run

logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_lakehouses = {}
_opening = threading.Lock()
_running = {}
_canceled = set()
_state = threading.Lock()
_output = threading.Lock()
_out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1 << 20)
# Whatever prints must not get between the replies.
sys.stdout = sys.stderr


def reply(identity, **members):
    line = json.dumps({"id": identity, **members}, ensure_ascii=False)
    _send(line)


def _send(line):
    with _output:
        _out.write(line)
        _out.write("\n")
        _out.flush()


def lakehouse_of(name):
    with _opening:
        if name not in _lakehouses:
            _lakehouses[name] = Lakehouse()
        return _lakehouses[name]


class Job:
    """What a cancel can reach: the session in use, once there is one."""

    def __init__(self, identity, lakehouse):
        self.identity, self.lakehouse, self.session, self.canceled = identity, lakehouse, None, False

    def use(self, session):
        with _state:
            self.session = session
            canceled = self.canceled
        if canceled:
            raise failures.Canceled()
        return session

    def release(self):
        with _state:
            self.session = None


def execute(job, request):
    request = positions.named(request)
    lakehouse = lakehouse_of(request["lakehouse"])
    session = lakehouse.session(request.get("catalog"), request.get("schema"), request.get("timeZone") or "UTC")
    request["canceled"] = lambda: job.canceled
    try:
        result = run(lakehouse, job.use(session), request)
    finally:
        job.release()
        session.close()
    if request.get("format") == "ARROW_STREAM":
        if not isinstance(result, arrow.Written):
            result = arrow.of_cells(result.columns, [json.loads(data) for _, data in result.chunks], request)
        chunks = ",".join(json.dumps({"rows": rows, "bytes": size, "file": file}) for rows, size, file in result.chunks)
    else:
        # Chunks are JSON text already: they go into the line as they are.
        chunks = ",".join(f'{{"rows":{rows},"data":{data}}}' for rows, data in result.chunks)
    head = json.dumps({"columns": result.columns, "rowCount": result.rows, "truncated": result.truncated},
                      ensure_ascii=False)
    _send(f'{{"id":{job.identity},"ok":{head[:-1]},"chunks":[{chunks}]}}}}')


def metadata(job, request):
    lakehouse = lakehouse_of(request["lakehouse"])
    session = lakehouse.session(None, None, "UTC")
    catalog, schema, table = (request.get(name) for name in ("catalog", "schema", "table"))
    if table:
        reply(job.identity, ok={"table": unity.table(lakehouse, session, catalog, schema, table)})
    elif schema:
        reply(job.identity, ok={"tables": commands.tables(session, catalog, schema)})
    elif catalog:
        reply(job.identity, ok={"schemas": commands.schemas(session, catalog)})
    else:
        reply(job.identity, ok={"catalogs": commands.catalogs(session)})
    session.close()


def commits(job, request):
    """What a test asks of statements that write: to be held, to go on, or how many wait."""
    held = lakehouse_of(request["lakehouse"]).commits
    if request.get("hold"):
        held.hold(request["hold"])
    if request.get("release"):
        held.release()
    reply(job.identity, ok={"held": held.held()})


def script(job, request):
    lakehouse = lakehouse_of(request["lakehouse"])
    outcome = scripts.run(lakehouse, job, request)
    reply(job.identity, ok=outcome)


def opened(job, request):
    lakehouse_of(request["lakehouse"])
    reply(job.identity, ok={})


OPERATIONS = {"open": opened, "execute": execute, "script": script, "metadata": metadata, "commits": commits}


def serve(job, request):
    try:
        OPERATIONS[request["op"]](job, request)
    except failures.Canceled:
        reply(job.identity, canceled=True)
    except failures.StatementFailed as failure:
        message = str(failure)
        if failure.error_class == "PARSE_SYNTAX_ERROR":
            message = "\n" + message
        reply(job.identity, failed={"message": message, "sqlState": failure.sql_state,
                                    "errorClass": failure.error_class})
    except BaseException as error:  # a defect of the engine is a failed statement, never a silent one
        if job.canceled:
            reply(job.identity, canceled=True)
            return
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} (at {os.path.basename(last.filename)}:{last.lineno})"
        failure = failures.unsupported(text)
        reply(job.identity, failed={"message": str(failure), "sqlState": failure.sql_state,
                                    "errorClass": failure.error_class})
    finally:
        with _state:
            _running.pop(job.identity, None)


def cancel(job):
    """Interrupts until the job is over: an interrupt that comes just before the query begins is lost."""
    with _state:
        job.canceled = True
    while True:
        with _state:
            if job.identity not in _running:
                return
            if job.session is not None:
                job.session.interrupt()
        time.sleep(0.05)


def close(lakehouse):
    """Forgets a lakehouse; its memory goes with the last session that uses it."""
    with _opening:
        _lakehouses.pop(lakehouse, None)
    with _state:
        left = [job for job in _running.values() if job.lakehouse == lakehouse]
    for job in left:
        threading.Thread(target=cancel, args=(job,), daemon=True).start()


def main():
    reply(0, ok={"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "cancel":
            with _state:
                job = _running.get(request["target"])
            if job is not None:
                threading.Thread(target=cancel, args=(job,), daemon=True).start()
        elif request["op"] == "close":
            close(request["lakehouse"])
        else:
            job = Job(request["id"], request.get("lakehouse"))
            with _state:
                _running[job.identity] = job
            threading.Thread(target=serve, args=(job, request), daemon=True).start()


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
    # Not by the interpreter's own end, which would wait for, or tear down, threads that are inside DuckDB.
    os._exit(0)
