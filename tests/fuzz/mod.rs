//! What is fuzzed: a plain function for each kind of bytes that come from outside. Each may refuse its bytes in any way but
//! a panic, without an end or without a bound. `tests/it/fuzz` drives them by mutation, `fuzz/` by libFuzzer.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use causeway::databricks::Statement;
use causeway::operations::{Definition, Scope};
use causeway::requests::StatusToken;
use causeway::rows::{ChunkData, ChunkRows, Column, Format, Output, Piece, RowWriter, ValueOptions};
use causeway::runs::{Received, recognise};
use causeway::triggers::{Envelope, event_of};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

/// Rows are written in pieces, as a stream is.
const PIECE: Piece = Piece { bytes: 64 << 10, rows: 1_000 };
/// A chunk may claim any number of rows; a stream stops at those that the manifest has.
const MOST_ROWS: u64 = 10_000;
/// No piece of so few rows, made of an input of some KiB, comes near this.
const MOST_BYTES: usize = 64 << 20;

/// The host's envelope around a message, a timer or an event.
pub(crate) fn envelope(data: &[u8]) {
    if let Ok(message) = Envelope::parse(data).and_then(Envelope::message) {
        let _ = recognise(&message);
    }
    let _ = Envelope::parse(data).map(Envelope::timer);
    let _ = event_of(data);
}

/// A reply of the Statement Execution API, and the rows in it in every format.
pub(crate) fn statement(data: &[u8]) {
    let Ok(statement) = Statement::read(&Bytes::copy_from_slice(data)) else { return };
    let _ = statement.outcome();
    let Some(chunk) = statement.chunk else { return };
    let options = ValueOptions::default();
    let column = |info: &causeway::databricks::ColumnInfo| {
        Column::new(&info.name, &info.type_name, &info.type_text, info.precision, info.scale, options)
    };
    let columns: Vec<Column> = statement.columns.iter().map(column).collect();
    for format in [Format::Json, Format::Csv, Format::Arrow] {
        rows(&columns, ChunkData::json_array(chunk.text.clone()), format);
    }
    let _ = chunk.rows();
}

/// A chunk behind a link: Arrow, plain or in LZ4 frames.
pub(crate) fn arrow(data: &[u8]) {
    let simple: &[&str] = &["INT", "STRING"];
    let many: &[&str] = &[
        "BOOLEAN",
        "TINYINT",
        "BIGINT",
        "DOUBLE",
        "DECIMAL(18,2)",
        "DATE",
        "TIMESTAMP",
        "TIMESTAMP_NTZ",
        "BINARY",
        "ARRAY<INT>",
        "STRUCT<a: INT, b: STRING>",
        "MAP<STRING, INT>",
        "VOID",
        "STRING",
    ];
    for types in [simple, many] {
        let column = |(at, text): (usize, &&str)| {
            let name = text.split(['(', '<']).next().unwrap_or_default();
            let name = match name {
                "TINYINT" => "BYTE",
                "BIGINT" => "LONG",
                "VOID" => "NULL",
                other => other,
            };
            let decimal = name == "DECIMAL";
            Column::new(
                format!("c{at}"),
                name,
                *text,
                decimal.then_some(18),
                decimal.then_some(2),
                ValueOptions::default(),
            )
        };
        let columns: Vec<Column> = types.iter().enumerate().map(column).collect();
        for format in [Format::Ndjson, Format::Arrow] {
            rows(&columns, ChunkData::ArrowStream(Bytes::copy_from_slice(data)), format);
        }
    }
    if let Ok(mut chunk) = ChunkRows::new(ChunkData::ArrowStream(Bytes::copy_from_slice(data))) {
        let _ = chunk.skip(MOST_ROWS);
    }
}

fn rows(columns: &[Column], data: ChunkData, format: Format) {
    let output = Output { format, ..Output::default() };
    let (Ok(mut writer), Ok(mut chunk)) = (RowWriter::new(columns, output), ChunkRows::new(data)) else { return };
    let mut out = Vec::new();
    let _ = writer.begin(&mut out);
    while let Ok(written) = writer.write(&mut out, &mut chunk, PIECE) {
        assert!(out.len() <= MOST_BYTES, "one piece has {} bytes", out.len());
        out.clear();
        if written == 0 || writer.rows() > MOST_ROWS {
            break;
        }
    }
    let _ = writer.end(&mut out);
}

/// An operation's file, and what it makes of a body and of what its steps gave.
pub(crate) fn operation(data: &[u8]) {
    let Ok(yaml) = std::str::from_utf8(data) else { return };
    let _ = run(yaml);
}

/// One CEL expression, alone and within text.
pub(crate) fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (alone, within) = (format!("{{{{ {text} }}}}"), format!("so {{{{ {text} }}}} and on"));
    let _ = run(&format!("{HEAD}output: {{ alone: {}, within: {} }}\n", Value::from(alone), Value::from(within)));
}

const HEAD: &str = "summary: fuzzed
parameters:
  a: { type: string }
  n: { type: number }
  i: { type: integer }
  d: { type: date }
  t: { type: datetime }
  b: { type: boolean }
  l: { type: array }
  o: { type: object }
steps:
  - id: q
    sql: { statement: SELECT 1, expect: rows }
";

fn run(yaml: &str) -> Option<Value> {
    let definition = Definition { name: "fuzzed".to_owned(), yaml: yaml.to_owned(), files: BTreeMap::new() };
    let variables = BTreeMap::from([("v".to_owned(), "w".to_owned())]);
    let operation = definition.parse(&variables).ok()?;
    let _ = (operation.parameters_schema(), operation.output_schema());
    let object = |value: Value| match value {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let given = object(json!({
        "a": "{{ run.id }}", "n": 1.5, "i": i64::MIN, "d": "2026-01-31", "t": "2026-01-31T06:00:00Z", "b": true,
        "l": [1, "2", null, [3]], "o": {"k": "v"}
    }));
    let parameters = operation.accept(&given).unwrap_or(given);
    let scope = Scope {
        parameters,
        steps: object(json!({"q": {"rows": [{"x": 1, "y": "0.10"}, {"x": null}], "rowCount": 2, "row": {"x": 1}}})),
        run: object(json!({"id": "r", "operation": "fuzzed", "startTime": "2026-01-31T06:00:00Z"})),
        variables: object(json!({"v": "w"})),
        ..Scope::default()
    };
    operation.output.as_ref().and_then(|output| output.render(&scope).ok())
}

/// A message that may be an event of Dataverse or of Event Grid.
pub(crate) fn dataverse(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let marked = json!({"http://schemas.microsoft.com/xrm/2011/Claims/MessageMaxSizeExceeded": "true"});
    for properties in [Map::new(), marked.as_object().cloned().unwrap_or_default()] {
        let _ = recognise(&Received { body: body.clone(), properties, ..Received::default() });
    }
}

const KEY: &str = "the key of the fuzzed tokens";
/// The one text that is a token of this key in the corpus; nothing near it may be taken.
const SOUND: &str = include_str!("../fixtures/fuzz/token/sound");

/// A status token as it comes, and any payload below a sound signature.
pub(crate) fn token(data: &[u8]) {
    let key = SecretString::from(KEY.to_owned());
    let now = jiff::Timestamp::UNIX_EPOCH;
    if let Ok(text) = std::str::from_utf8(data) {
        let read = StatusToken::read(text, &key, now);
        assert!(read.is_err() || text == SOUND, "another token was taken for ours");
        assert!(read.is_ok() || text != SOUND, "our own token was refused");
    }
    let signed = format!("v1.version.{}", BASE64.encode(data));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), signed.as_bytes());
    let _ = StatusToken::read(&format!("{signed}.{}", BASE64.encode(signature.as_ref())), &key, now);
}
