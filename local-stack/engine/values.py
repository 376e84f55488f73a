"""Types and cells as the Statement Execution API writes them in JSON_ARRAY: every cell a string, NULL as null."""

import base64
import datetime
import decimal
import json
import math
import struct
import zoneinfo

# DuckDB's type -> (type_name, type_text). HUGEINT is what DuckDB's sum() gives where Spark's gives BIGINT.
_PLAIN = {
    "boolean": ("BOOLEAN", "BOOLEAN"),
    "tinyint": ("BYTE", "TINYINT"),
    "smallint": ("SHORT", "SMALLINT"),
    "utinyint": ("SHORT", "SMALLINT"),
    "integer": ("INT", "INT"),
    "usmallint": ("INT", "INT"),
    "bigint": ("LONG", "BIGINT"),
    "uinteger": ("LONG", "BIGINT"),
    "hugeint": ("LONG", "BIGINT"),
    "ubigint": ("LONG", "BIGINT"),
    "float": ("FLOAT", "FLOAT"),
    "double": ("DOUBLE", "DOUBLE"),
    "varchar": ("STRING", "STRING"),
    "uuid": ("STRING", "STRING"),
    "enum": ("STRING", "STRING"),
    "json": ("STRING", "STRING"),
    "date": ("DATE", "DATE"),
    "timestamp with time zone": ("TIMESTAMP", "TIMESTAMP"),
    "timestamp": ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ"),
    "timestamp_s": ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ"),
    "timestamp_ms": ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ"),
    "timestamp_ns": ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ"),
    "time": ("STRING", "STRING"),
    "blob": ("BINARY", "BINARY"),
    "interval": ("INTERVAL", "INTERVAL DAY TO SECOND"),
    "variant": ("VARIANT", "VARIANT"),
    "null": ("NULL", "VOID"),
    "sqlnull": ("NULL", "VOID"),
    '"null"': ("NULL", "VOID"),
}


def column(name, position, kind):
    """A column of manifest.schema, with only the keys that the real one has."""
    type_name, type_text = describe(kind)
    described = {"name": name, "type_text": type_text, "type_name": type_name, "position": position}
    if type_name == "DECIMAL":
        precision, scale = _precision(kind)
        described["type_precision"] = precision
        described["type_scale"] = scale
    if type_name == "INTERVAL":
        described["type_interval_type"] = type_text.removeprefix("INTERVAL ")
    return described


def describe(kind):
    """(type_name, type_text) of a DuckDB type."""
    identity = kind.id
    if identity == "decimal":
        precision, scale = _precision(kind)
        return "DECIMAL", f"DECIMAL({precision},{scale})"
    if identity in ("list", "array"):
        return "ARRAY", f"ARRAY<{describe(kind.children[0][1])[1]}>"
    if identity == "struct":
        fields = ", ".join(f"{name}: {describe(child)[1]}" for name, child in kind.children)
        return "STRUCT", f"STRUCT<{fields}>"
    if identity == "map":
        key, value = (describe(child)[1] for _, child in kind.children)
        return "MAP", f"MAP<{key}, {value}>"
    return _PLAIN.get(str(kind).lower()) or _PLAIN.get(identity) or ("STRING", "STRING")


def _precision(kind):
    found = dict(kind.children)
    return found["precision"], found["scale"]


def writer(kind, zone, binary="base64"):
    """A function from a Python value of this type to the cell's text; `binary` is base64 or hex."""
    identity, text = kind.id, str(kind).lower()
    if identity in ("list", "array", "struct", "map"):
        return lambda value: json.dumps(_plain(value, zone), ensure_ascii=False, separators=(",", ":"))
    if identity in ("varchar", "enum", "json"):
        return str
    if identity == "boolean":
        return lambda value: "true" if value else "false"
    if identity == "decimal":
        return lambda value: format(value, "f")
    if identity == "double":
        return java_double
    if identity == "float":
        return lambda value: java_double(_short(value))
    if identity == "blob":
        return (lambda value: value.hex()) if binary == "hex" else (lambda value: base64.b64encode(value).decode())
    if text == "timestamp with time zone":
        return lambda value: instant(value, zone)
    if text.startswith("timestamp"):
        return lambda value: value if isinstance(value, str) else _clock(value)
    if identity == "interval":
        return _interval
    if identity == "variant":
        return lambda value: json.dumps(_plain(value, zone), ensure_ascii=False, separators=(",", ":"))
    return str


def java_double(value):
    """A double as Java's Double.toString writes it, which is what Spark's cast to STRING gives."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        return text if "e" not in text else format(decimal.Decimal(text), "f")
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, digits))
    exponent += len(digits) - 1
    rest = digits[1:].rstrip("0") or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{exponent}"


def _short(value):
    """The double with the fewest digits that is the same 32-bit float."""
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if struct.pack("f", short) == struct.pack("f", value):
            return short
    return value


def instant(value, zone):
    """ISO 8601 with the session's offset and milliseconds; further digits only where they are not zero."""
    local = value.astimezone(zone)
    offset = local.strftime("%z")
    offset = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return _clock(local.replace(tzinfo=None)) + offset


def _clock(value):
    precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
    return value.isoformat(timespec=precision)


def _interval(value):
    return interval(0, value.days, value.seconds * 1_000_000_000 + value.microseconds * 1000)


def interval(months, days, nanoseconds):
    """An interval as the drivers print it: `D HH:MM:SS.NNNNNNNNN` (databricks-jdbc, IntervalConverter). A month has 30
    days here, as DuckDB's own comparison has it: it keeps months and days in one type, where Databricks has two."""
    whole = (months * 30 + days) * 86_400_000_000_000 + nanoseconds
    sign = "-" if whole < 0 else ""
    seconds, fraction = divmod(abs(whole), 1_000_000_000)
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{days} {hours:02}:{minutes:02}:{seconds:02}.{fraction:09}"


def _plain(value, zone):
    if isinstance(value, dict):
        return {str(key): _plain(inner, zone) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, zone) for inner in value]
    if isinstance(value, datetime.datetime):
        return instant(value, zone) if value.tzinfo else _clock(value)
    if isinstance(value, decimal.Decimal):
        return float(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def zone_of(name):
    return zoneinfo.ZoneInfo(name)
