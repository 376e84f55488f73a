"""The service that arrowbricks' README leads to (its "FastAPI streaming" example), with `protocol="sea"`.

https://github.com/bmsuisse/arrowbricks/blob/main/examples/fastapi_sse.py

Tuned beyond the example, since this is the speed to beat: the example yields one row at a time, which costs uvicorn a
send for each; here the rows of a chunk, which its Rust core has already written as NDJSON, are joined and sent at once.
For that it takes the iterator that `stream_query_json` is made of. A JSON array is the same rows with commas between
them. CSV, which arrowbricks does not write, is `pyarrow.csv` over its Arrow tables (README, "Query from an application")."""

import os

import pyarrow as pa
from arrowbricks import DatabricksClient
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

import conversion

client = DatabricksClient(
    host=os.environ["DATABRICKS_HOST"],
    warehouse_id=os.environ["DATABRICKS_WAREHOUSE_ID"],
    token=os.environ["DATABRICKS_TOKEN"],
    protocol="sea",
    # 0s where polls are what is measured.
    wait_timeout=os.environ.get("WAIT_TIMEOUT", "30s"),
)
app = FastAPI()


class Query(BaseModel):
    statement: str


@app.post("/small")
async def small(query: Query):
    """`prefer_inline` spares a small result the way over the storage."""
    result = await client._core_client.execute(query.statement, prefer_inline=True)
    return {"rows": pa.table(await result.fetchall_arrow()).to_pylist()}


@app.post("/big")
async def big(query: Query, format: str):
    pieces = {"json": json, "ndjson": ndjson, "csv": csv}[format](query.statement)
    return StreamingResponse(pieces, media_type=conversion.MEDIA_TYPES[format])


async def chunks(statement):
    async for lines in client._core_client.stream_ndjson_lines(statement):
        if isinstance(lines, list) and lines:  # and not a HEARTBEAT
            yield lines


async def ndjson(statement):
    async for lines in chunks(statement):
        lines.append("")
        yield "\n".join(lines)


async def json(statement):
    separator = '{"rows":['
    async for lines in chunks(statement):
        yield separator + ",".join(lines)
        separator = ","
    yield "]}" if separator == "," else '{"rows":[]}'


async def csv(statement):
    result = await client._core_client.execute(statement)
    header = True
    async for table in result.fetchall_arrow_streamed():
        if hasattr(table, "num_rows"):
            for piece in conversion.csv_pieces(pa.table(table).to_batches(), header):
                yield piece
            header = False
