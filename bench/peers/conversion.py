"""Arrow to JSON, NDJSON and CSV as the Python peers do it: `orjson` over `RecordBatch.to_pylist()`, and `pyarrow.csv`.
Both peers that get Arrow use it, so that they differ in their client only."""

import io
from collections.abc import Iterable, Iterator

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

MEDIA_TYPES = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}


def written(batches: Iterable[pa.RecordBatch], format: str) -> Iterator[bytes]:
    """The pieces of the answer, one for each batch."""
    return {"json": _json, "ndjson": _ndjson, "csv": _csv}[format](batches)


def _json(batches):
    separator = b'{"rows":['
    for batch in batches:
        if batch.num_rows:
            yield separator + orjson.dumps(_readable(batch).to_pylist())[1:-1]
            separator = b","
    yield b"]}" if separator == b"," else b'{"rows":[]}'


def _ndjson(batches):
    for batch in batches:
        if batch.num_rows:
            yield b"\n".join(map(orjson.dumps, _readable(batch).to_pylist())) + b"\n"


def _csv(batches):
    return csv_pieces(batches, True)


def csv_pieces(batches, header):
    for batch in batches:
        piece = io.BytesIO()
        pyarrow.csv.write_csv(batch, piece, pyarrow.csv.WriteOptions(include_header=header))
        header = False
        yield piece.getvalue()


def _readable(batch):
    """orjson knows no `Decimal`: casts of the column are much cheaper than a `default=` for each value. By way of text,
    since pyarrow's own cast of a decimal to a double is wrong in the last digit now and then (-74149.90000000001)."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_decimal(field.type):
            column = pc.cast(pc.cast(batch.column(place), pa.string()), pa.float64())
            batch = batch.set_column(place, field.name, column)
    return batch
