"""The service that the SQL connector's documentation leads to: FastAPI, `databricks-sql-connector` on its Rust kernel.

* `sql.connect`, cursors, `fetchall`, `fetchmany_arrow`: https://docs.databricks.com/aws/en/dev-tools/python-sql-connector
* `use_kernel=True`: the docstring of `databricks.sql.client.Connection`, which calls it what replaces `use_sea`.
* Blocking calls in plain `def` endpoints, which FastAPI runs in its thread pool: https://fastapi.tiangolo.com/async/
* One uvicorn worker, since it has one core: https://fastapi.tiangolo.com/deployment/server-workers/

Tuned: a connection for each thread of the pool, kept (opening one for each call costs a session; threads may not share
one, PEP 249 threadsafety 1); Arrow rather than rows for big results; the answer is streamed, a batch at a time."""

import os
import threading

from databricks import sql
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import conversion

BATCH = 100_000

own = threading.local()
app = FastAPI()


class Query(BaseModel):
    statement: str


def connection():
    if not hasattr(own, "connection"):
        own.connection = connected()
    return own.connection


def connected():
    return sql.connect(
        server_hostname=os.environ["DATABRICKS_HOST"],
        http_path="/sql/1.0/warehouses/" + os.environ["DATABRICKS_WAREHOUSE_ID"],
        access_token=os.environ["DATABRICKS_TOKEN"],
        use_kernel=True,
        enable_telemetry=False,
    )


@app.post("/small")
def small(query: Query):
    with connection().cursor() as cursor:
        cursor.execute(query.statement)
        return {"rows": [row.asDict() for row in cursor.fetchall()]}


@app.post("/big")
def big(query: Query, format: str):
    # The pieces are made by whichever thread is free, so this result has a connection of its own.
    opened = idle.pop() if idle else connected()
    cursor = opened.cursor()
    cursor.execute(query.statement)
    pieces = conversion.written(batches(opened, cursor), format)
    return StreamingResponse(pieces, media_type=conversion.MEDIA_TYPES[format])


idle = []


def batches(opened, cursor):
    with cursor:
        while (table := cursor.fetchmany_arrow(BATCH)).num_rows:
            yield from table.to_batches()
    idle.append(opened)
