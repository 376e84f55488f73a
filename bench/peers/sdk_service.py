"""The service that the SDK's documentation leads to: FastAPI, `databricks-sdk`, its Statement Execution API.

* One `WorkspaceClient` for the process, authenticated once: https://databricks-sdk-py.readthedocs.io/en/latest/authentication.html
* `execute_statement`, `get_statement`, `get_statement_result_chunk_n`:
  https://databricks-sdk-py.readthedocs.io/en/latest/workspace/sql/statement_execution.html
* Large results by EXTERNAL_LINKS and ARROW_STREAM, links fetched without the Authorization header:
  https://docs.databricks.com/aws/en/dev-tools/sql-execution-tutorial#get-large-results-with-external_links-disposition
* Blocking calls in plain `def` endpoints, which FastAPI runs in its thread pool: https://fastapi.tiangolo.com/async/
* One uvicorn worker, since it has one core: https://fastapi.tiangolo.com/deployment/server-workers/

Tuned: a `requests.Session` for the links, with retries (https://requests.readthedocs.io/en/latest/user/advanced/, "Automatic
Retries"; the tutorial has none, and one 503 of the storage would cut the answer), four of them ahead of the conversion (the tutorial fetches one after the
other, which was slower); the answer is streamed, chunk by chunk. The SDK has no parameter for LZ4, so none is asked for."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import Disposition, Format, StatementState
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import conversion

AHEAD = 4
# 0s where polls are what is measured.
WAIT = os.environ.get("WAIT_TIMEOUT", "30s")

workspace = WorkspaceClient(host=os.environ["DATABRICKS_HOST"], token=os.environ["DATABRICKS_TOKEN"])
statements = workspace.statement_execution
warehouse_id = os.environ["DATABRICKS_WAREHOUSE_ID"]
storage = requests.Session()
for scheme in "http://", "https://":
    retry = Retry(total=5, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
    storage.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=AHEAD))
pool = ThreadPoolExecutor(AHEAD)
app = FastAPI()


class Query(BaseModel):
    statement: str


# What columns of a JSON_ARRAY, whose cells are all text, are read as.
READERS = {name: int for name in ("BYTE", "SHORT", "INT", "LONG")} | {"DOUBLE": float, "FLOAT": float, "BOOLEAN": "true".__eq__}


def finished(response):
    """Polls once a second, as the SDK's own examples do."""
    while response.status.state in (StatementState.PENDING, StatementState.RUNNING):
        time.sleep(1)
        response = statements.get_statement(response.statement_id)
    if response.status.state is not StatementState.SUCCEEDED:
        error = response.status.error
        raise HTTPException(502, error.message if error else str(response.status.state))
    return response


@app.post("/small")
def small(query: Query):
    """The default disposition, INLINE."""
    response = finished(statements.execute_statement(query.statement, warehouse_id, wait_timeout=WAIT))
    columns = [(column.name, READERS.get(column.type_name.value, str)) for column in response.manifest.schema.columns]
    rows, result = [], response.result
    while result:
        for cells in result.data_array or []:
            rows.append({name: None if cell is None else read(cell) for (name, read), cell in zip(columns, cells)})
        following = result.next_chunk_index
        result = statements.get_statement_result_chunk_n(response.statement_id, following) if following else None
    return {"rows": rows}


@app.post("/big")
def big(query: Query, format: str):
    response = finished(
        statements.execute_statement(
            query.statement,
            warehouse_id,
            disposition=Disposition.EXTERNAL_LINKS,
            format=Format.ARROW_STREAM,
            wait_timeout=WAIT,
        )
    )
    pieces = conversion.written(batches(response), format)
    return StreamingResponse(pieces, media_type=conversion.MEDIA_TYPES[format])


def batches(response):
    first = {link.chunk_index: link for link in response.result.external_links or []}

    def fetched(index):
        link = first.get(index)
        if link is None:
            link = statements.get_statement_result_chunk_n(response.statement_id, index).external_links[0]
        # Without our credentials: the link carries its own.
        answer = storage.get(link.external_link, headers=link.http_headers, timeout=60)
        answer.raise_for_status()
        return answer.content

    total = response.manifest.total_chunk_count or 0
    waiting = [pool.submit(fetched, index) for index in range(min(AHEAD, total))]
    for index in range(total):
        chunk = waiting.pop(0).result()
        if index + AHEAD < total:
            waiting.append(pool.submit(fetched, index + AHEAD))
        yield from pa.ipc.open_stream(chunk)
