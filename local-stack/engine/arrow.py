"""Results as Apache Arrow streams, with the types that Databricks gives its columns, in files of one chunk each. Knows
how a stream is laid out and compressed, and nothing of who reads it.

A chunk is a whole IPC stream. With LZ4_FRAME it is several LZ4 frames one behind the other, a frame for each message:
so a recorded `attachment` has it (databricks-jdbc, testhybridsmallquery: the schema, a batch and the end of the stream
are three frames). Fields carry no metadata there.
"""

import decimal
import os
import warnings

import pyarrow as pa

import values

warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_PLAIN = {
    "BOOLEAN": pa.bool_(),
    "BYTE": pa.int8(),
    "SHORT": pa.int16(),
    "INT": pa.int32(),
    "LONG": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "DATE": pa.date32(),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "BINARY": pa.binary(),
    "NULL": pa.null(),
    # Drivers are given both as text.
    "VARIANT": pa.string(),
    "INTERVAL": pa.string(),
}


class Written:
    """What a statement gave: columns and chunks as (rows, bytes of the stream, file), in a folder of the caller's."""

    def __init__(self, columns, request):
        self.columns, self.chunks, self.rows, self.truncated, self.size = columns, [], 0, False, 0
        self._folder = request["folder"]
        self._compressed = request.get("compression") == "LZ4_FRAME"
        self._whole = request.get("frames") == "chunk"
        self._chunk_rows = request.get("chunkRows") or 32768
        self._messages = []
        self._rows = 0

    def add(self, batch):
        """Takes a batch, which may go over several chunks."""
        while batch.num_rows:
            part = batch.slice(0, self._chunk_rows - self._rows)
            batch = batch.slice(part.num_rows)
            if not self._messages:
                self._messages.append(part.schema.serialize())
            self._messages.append(part.serialize())
            self._rows += part.num_rows
            if self._rows == self._chunk_rows:
                self.end()

    def end(self):
        """Writes the chunk that was begun."""
        if not self._messages:
            return
        messages = [*self._messages, pa.py_buffer(_END)]
        size = sum(message.size for message in messages)
        if self._compressed:
            if self._whole:
                messages = [pa.py_buffer(b"".join(message.to_pybytes() for message in messages))]
            messages = [pa.compress(message, codec="lz4") for message in messages]
        name = os.path.join(self._folder, str(len(self.chunks)))
        with open(name, "wb") as file:
            for message in messages:
                file.write(message)
        self.chunks.append((self._rows, size, name))
        self.rows += self._rows
        self.size += size
        self._messages, self._rows = [], 0


def rows(session, zone, request, void, again):
    """The rows of a query that was executed; `again` executes a text in which {} is that query."""
    import failures

    kinds = [entry[1] for entry in session.description]
    columns = [values.column(failures.shown(entry[0]), i, entry[1]) for i, entry in enumerate(session.description)]
    for position in void:
        columns[position].update(type_text="VOID", type_name="NULL")
    schema = pa.schema(
        [pa.field(column["name"], pa.null() if column["type_name"] == "NULL" else type_of(kind, zone))
         for column, kind in zip(columns, kinds)]
    )
    writers = [values.writer(kind, values.zone_of(zone)) for kind in kinds]
    variants = [column["name"].replace('"', '""') for column in columns if column["type_name"] == "VARIANT"]
    if variants:
        # DuckDB's Arrow has its own encoding of it, which only DuckDB reads.
        texts = ", ".join(f'CAST("{name}" AS JSON) AS "{name}"' for name in variants)
        again(f"SELECT * REPLACE ({texts.replace('{', '{{').replace('}', '}}')}) FROM ({{}})")
    written = Written(columns, request)
    row_limit, space = request.get("rowLimit"), request.get("maxBytes")
    taken = 0
    for batch in _reader(session, request.get("batchRows") or 8192):
        if row_limit is not None and taken + batch.num_rows > row_limit:
            batch = batch.slice(0, row_limit - taken)
            written.truncated = True
        arrays = [_converted(array, field.type, write)
                  for array, field, write in zip(batch.columns, schema, writers)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        if space is not None:
            if batch.nbytes > space:
                batch = batch.slice(0, batch.num_rows * max(space, 0) // batch.nbytes)
                written.truncated = True
            space -= batch.nbytes
        taken += batch.num_rows
        written.add(batch)
        if written.truncated:
            break
    written.end()
    return written


def of_cells(columns, chunks, request):
    """A small table of ready-made cells, such as the metrics of a change; `columns` is None for a statement without."""
    written = Written(columns, request)
    if columns is None:
        return written
    schema = pa.schema([pa.field(column["name"], _PLAIN[column["type_name"]]) for column in columns])
    for cells in chunks:
        arrays = [
            pa.array([None if cell is None else _parsed(cell, field.type) for cell in column], type=field.type)
            for field, column in zip(schema, zip(*cells))
        ]
        written.add(pa.RecordBatch.from_arrays(arrays, schema=schema))
    written.end()
    return written


def type_of(kind, zone):
    """The Arrow type of a DuckDB type."""
    identity = kind.id
    if identity == "decimal":
        found = dict(kind.children)
        return pa.decimal128(found["precision"], found["scale"])
    if identity in ("list", "array"):
        return pa.list_(pa.field("element", type_of(kind.children[0][1], zone)))
    if identity == "struct":
        return pa.struct([pa.field(name, type_of(child, zone)) for name, child in kind.children])
    if identity == "map":
        return pa.map_(*(type_of(child, zone) for _, child in kind.children))
    name = values.describe(kind)[0]
    return pa.timestamp("us", tz=zone) if name == "TIMESTAMP" else _PLAIN[name]


def _reader(session, batch):
    # DuckDB 1, which Python 3.10 gets, has the older name.
    return session.to_arrow_reader(batch) if hasattr(session, "to_arrow_reader") else session.fetch_record_batch(batch)


def _converted(array, target, write):
    if array.type.equals(target):
        return array
    if pa.types.is_null(target):
        return pa.nulls(len(array))
    if pa.types.is_string(target) and not (pa.types.is_string(array.type) or pa.types.is_dictionary(array.type)):
        return pa.array([None if value is None else _text(value, write) for value in array.to_pylist()], type=target)
    try:
        return array.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array(array.to_pylist(), type=target)


def _text(value, write):
    # An interval is a named tuple here, and a timedelta where DuckDB makes Python values itself.
    if isinstance(value, pa.MonthDayNano):
        return values.interval(value.months, value.days, value.nanoseconds)
    return write(value)


def _parsed(cell, kind):
    if pa.types.is_boolean(kind):
        return cell == "true"
    if pa.types.is_integer(kind):
        return int(cell)
    if pa.types.is_floating(kind):
        return float(cell)
    return decimal.Decimal(cell) if pa.types.is_decimal(kind) else cell
