"""`from_json` of a constant, by the rules of Spark's JacksonParser (sql/catalyst/json): which token fits which type,
what a bad record is, and what FAILFAST and PERMISSIVE make of it. Runs nothing.

What comes out is JSON again, in which every leaf is a text that surely fits: DuckDB only has to cast it.
"""

import base64
import binascii
import datetime
import decimal
import json
import re

import failures

_WHOLE = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}
_NOT_NUMBERS = {"NaN", "Infinity", "+Infinity", "-Infinity", "+INF", "-INF"}
_DATE = re.compile(r"([+-]?\d{4,7})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{0,9}))?)?")
_ZONE = re.compile(r"\s*(Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)")


class _Number(str):
    """A number as it was written."""


class _Bad(Exception):
    def __init__(self, detail=None):
        self.detail = detail


def decode(text, kind, mode):
    """The JSON text of `text` as `kind` (a type of sqlglot), or None for NULL."""
    if text is None or not text.strip():
        return None
    strict = mode == "FAILFAST"
    try:
        value = _parsed(text)
        if kind.is_type("array") and isinstance(value, dict) and kind.expressions[0].is_type("struct"):
            # One object is an array of one (JacksonParser.makeArrayRootConverter).
            value = [value]
        if not _fits_root(value, kind):
            raise _Bad()
        return json.dumps(_convert(value, kind, strict, ""), ensure_ascii=False)
    except _Bad as bad:
        if strict:
            raise malformed(kind, bad.detail) from None
        return json.dumps({}) if kind.is_type("struct") else None


def _parsed(text):
    decoder = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    try:
        # What comes behind the first value is not looked at, as in Spark.
        return decoder.raw_decode(text.lstrip())[0]
    except ValueError:
        raise _Bad() from None


def _fits_root(value, kind):
    wanted = list if kind.is_type("array") else dict if kind.is_type("struct", "map") else object
    return value is None or isinstance(value, wanted)


def _convert(value, kind, strict, field):
    if value is None:
        return None
    if kind.is_type("struct"):
        if not isinstance(value, dict):
            raise _Bad()
        return {one.name: _field(value.get(one.name), one.args["kind"], strict, one.name) for one in kind.expressions}
    if kind.is_type("array"):
        if not isinstance(value, list):
            raise _Bad()
        return [_field(item, kind.expressions[0], strict, field) for item in value]
    if kind.is_type("map"):
        if not isinstance(value, dict):
            raise _Bad()
        return [{"key": key, "value": _field(item, kind.expressions[1], strict, field)} for key, item in value.items()]
    return _leaf(value, kind, field)


def _field(value, kind, strict, field):
    """PERMISSIVE keeps what was good of a record (spark.sql.json.enablePartialResults)."""
    try:
        return _convert(value, kind, strict, field)
    except _Bad:
        if strict:
            raise
        return None


def _leaf(value, kind, field):
    name = kind.this.value.lower()
    text = isinstance(value, str) and not isinstance(value, _Number)
    if name in ("text", "varchar", "char", "nvarchar", "string"):
        return str(value) if text else _written(value)
    if name in _WHOLE:
        return _whole(value, _WHOLE[name])
    if name == "boolean":
        if isinstance(value, bool):
            return "true" if value else "false"
    elif name in ("float", "double"):
        if isinstance(value, _Number) or (text and value in _NOT_NUMBERS):
            return str(value).replace("INF", "Infinity")
        if text and value:
            what = f"Cannot parse the value '{value}' of the field `{field}` as target spark data type " \
                   f"\"{name.upper()}\" from the input type \"STRING\"."
            raise _Bad(what)
    elif name == "decimal":
        return _decimal(value, kind, text)
    elif name == "binary" or name == "varbinary":
        if text:
            return _binary(value)
    elif name == "date":
        if text:
            return _date(value)
    elif name in ("timestamptz", "timestampltz", "timestamp", "timestampntz"):
        return _timestamp(value, text, zoned=name in ("timestamptz", "timestampltz"))
    elif name == "variant":
        return _written(value)
    raise _Bad()


def _written(value):
    """JSON as it was, without spaces."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _whole(value, bits):
    # A string, 1.0 and 1e3 are no whole numbers: only the token counts.
    if not isinstance(value, _Number) or not re.fullmatch(r"-?\d+", value):
        raise _Bad()
    if not -(1 << (bits - 1)) <= int(value) < 1 << (bits - 1):
        raise _Bad()
    return str(value)


def _decimal(value, kind, text):
    if not (isinstance(value, _Number) or (text and value)):
        raise _Bad()
    sizes = [int(size.name) for size in kind.expressions] or [10, 0]
    precision, scale = sizes[0], sizes[1] if len(sizes) > 1 else 0
    try:
        number = decimal.Decimal(value.replace(",", "") if text else str(value))
        with decimal.localcontext() as context:
            context.prec = 100
            number = number.quantize(decimal.Decimal(1).scaleb(-scale), rounding=decimal.ROUND_HALF_UP)
    except decimal.InvalidOperation:
        raise _Bad() from None
    if not number.is_finite() or (number and number.adjusted() + 1 > precision - scale):
        raise _Bad()
    return format(number, "f")


def _binary(value):
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _Bad() from None
    return value


def _date(value):
    match = _DATE.match(value.strip())
    rest = value.strip()[match.end():] if match else ""
    # A cast of a text to DATE takes what follows a T or a space for granted (DateTimeUtils.stringToDate).
    if not match or not (rest == "" or rest[0] in "T "):
        raise _Bad()
    return _day(match)


def _day(match):
    year, month, day = int(match.group(1)), int(match.group(2) or 1), int(match.group(3) or 1)
    try:
        return datetime.date(year, month, day).isoformat()
    except ValueError:
        raise _Bad() from None


def _timestamp(value, text, zoned):
    if isinstance(value, _Number) and zoned:
        seconds = int(_whole(value, 64))
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
        return moment.isoformat(sep=" ") + "+00"
    match = _DATE.match(value.strip()) if text else None
    if not match:
        raise _Bad()
    day, rest = _day(match), value.strip()[match.end():]
    if not rest:
        return f"{day} 00:00:00"
    clock = _CLOCK.match(rest, 1) if rest[0] in "T " else None
    if not clock:
        raise _Bad()
    hour, minute, second = (int(clock.group(i) or 0) for i in (1, 2, 3))
    if hour > 23 or minute > 59 or second > 59:
        raise _Bad()
    fraction = (clock.group(4) or "")[:6]
    zone = rest[clock.end():]
    known = _ZONE.fullmatch(zone) if zone else None
    if zone and not (known and zoned):
        raise _Bad()
    offset = _offset(known.group(1)) if known else ""
    return f"{day} {hour:02}:{minute:02}:{second:02}" + (f".{fraction}" if fraction else "") + offset


def _offset(zone):
    if zone in ("Z", "UTC", "GMT"):
        return "+00"
    digits = zone[1:].replace(":", "")
    return f"{zone[0]}{int(digits[:-2] or 0):02}:{digits[-2:]}" if len(digits) > 2 else f"{zone[0]}{int(digits):02}"


def malformed(kind, detail=None):
    """Spark's error-conditions.json, MALFORMED_RECORD_IN_PARSING."""
    subclass = "CANNOT_PARSE_STRING_AS_DATATYPE" if detail else "WITHOUT_SUGGESTION"
    width = len(kind.expressions) if kind.is_type("struct") else 1
    return failures.StatementFailed(
        f"MALFORMED_RECORD_IN_PARSING.{subclass}",
        f"Malformed records are detected in record parsing: [{','.join(['null'] * width)}].\n"
        "Parse Mode: FAILFAST. To process malformed records as null result, try setting the option 'mode' as "
        "'PERMISSIVE'." + (f" {detail}" if detail else ""),
        "22023",
    )


def mode_of(options):
    """`map('mode', 'FAILFAST')` as sqlglot reads it: PERMISSIVE when it does not say."""
    keys, values = (options.args[part].expressions for part in ("keys", "values")) if options is not None else ([], [])
    for key, value in zip(keys, values):
        if key.name.lower() == "mode":
            return _known_mode(value.name.upper())
    return "PERMISSIVE"


def _known_mode(mode):
    if mode == "DROPMALFORMED":
        raise failures.StatementFailed(
            "PARSE_MODE_UNSUPPORTED",
            "The function `from_json` doesn't support the DROPMALFORMED mode. Acceptable modes are PERMISSIVE and "
            "FAILFAST.",
            "42601",
        )
    return "FAILFAST" if mode == "FAILFAST" else "PERMISSIVE"
