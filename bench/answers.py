"""Whether two answers hold the same values, whatever their writer's habits: read with pyarrow, cast to the types of the
columns, compared column by column. Nothing is timed here."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json

ARROW = {"INT": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "STRING": pa.string()}


def read(path, format, columns):
    """A table with the columns' own types; a DECIMAL, which some write as text, as a double."""
    read = {"csv": _csv, "ndjson": _ndjson, "json": _json}[format](path)
    wanted = [(column["name"], ARROW.get(column["type"], pa.float64())) for column in columns]
    if read.column_names != [name for name, _ in wanted]:
        # Writers that leave NULLs out may meet the columns in another order.
        if sorted(read.column_names) != sorted(name for name, _ in wanted):
            raise RuntimeError(f"{path.name}: the columns are {read.column_names}")
    return pa.table({name: pc.cast(read.column(name), kind) for name, kind in wanted})


def differences(one, other):
    """The columns that differ, with the first place where they do; nothing when all are equal."""
    if one.num_rows != other.num_rows:
        return [f"{one.num_rows} rows and {other.num_rows}"]
    found = []
    for name in one.column_names:
        left, right = one.column(name).combine_chunks(), other.column(name).combine_chunks()
        if not left.equals(right):
            for row, pair in enumerate(zip(left, right)):
                if pair[0] != pair[1] and pair[0].as_py() != pair[1].as_py():
                    found.append(f"{name}, row {row}: {pair[0]!r} and {pair[1]!r}")
                    break
    return found


def _csv(path):
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    return pyarrow.csv.read_csv(path, parse_options=parse)


def _ndjson(path):
    return pyarrow.json.read_json(path, pyarrow.json.ReadOptions(block_size=16 << 20))


def _json(path):
    """The rows of `{…, "rows": [{…}, …], …}` or of `[{…}, …]`, one a line. The rows are flat, and no text in the data
    looks like their ends, so the text can be cut as it is."""
    whole = path.read_bytes()
    start = 1 if whole.startswith(b"[") else whole.index(b'"rows":[') + len(b'"rows":[')
    end = whole.rindex(b"}]", start) + 1
    lines = whole[start:end].replace(b"},{", b"}\n{")
    return pyarrow.json.read_json(pa.BufferReader(lines), pyarrow.json.ReadOptions(block_size=16 << 20))
