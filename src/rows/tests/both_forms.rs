//! A result reads the same, byte for byte, whether Databricks sent it as JSON_ARRAY or as Arrow.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Decimal128Builder, Int32Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::*;
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use super::super::*;
use super::made::*;

/// One row of every type there is.
#[derive(Clone, Debug)]
struct Row {
    boolean: Option<bool>,
    byte: Option<i8>,
    short: Option<i16>,
    int: Option<i32>,
    long: Option<i64>,
    float: Option<f32>,
    double: Option<f64>,
    small: Option<i128>,
    large: Option<i128>,
    text: Option<String>,
    date: Option<i32>,
    moment: Option<i64>,
    local: Option<i64>,
    binary: Option<Vec<u8>>,
    months: Option<i32>,
    nanos: Option<i64>,
    decimals: Option<Vec<Option<i128>>>,
    moments: Option<Vec<(String, Option<i64>)>>,
    flags: Option<Vec<(i32, Option<bool>)>>,
    inner: Option<Inner>,
    variant: Option<String>,
    /// How the text of this row is written: offset in minutes, NULL fields left out, power of ten.
    zone: i32,
    sparse: bool,
    exponent: bool,
}

#[derive(Clone, Debug)]
struct Inner {
    date: Option<i32>,
    binary: Option<Vec<u8>>,
    double: Option<f64>,
    text: Option<String>,
    longs: Option<Vec<Option<i64>>>,
}

const MOST: i128 = 10_i128.pow(38) - 1;

/// 0001-01-02 to 9999-12-30, so that every offset stays within the years that text has.
fn micros() -> impl Strategy<Value = i64> {
    let (first, last) = (-62_135_510_400_000_000_i64, 253_402_128_000_000_000);
    prop_oneof![first..last, (first / 1000..last / 1000).prop_map(|ms| ms * 1000), Just(first), Just(last), Just(-1)]
}

fn days() -> impl Strategy<Value = i32> {
    prop_oneof![-719_162..2_932_896, Just(-719_162), Just(2_932_896)]
}

fn big() -> impl Strategy<Value = i128> {
    prop_oneof![-MOST..=MOST, Just(MOST), Just(-MOST), Just(0), -10_i128..10]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![".*", Just(String::new()), Just("\u{0}\u{1F600}\"\\\n\u{7f},".to_owned()), "[a-z ,\"\r\n]{0,12}"]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

fn maybe<S: Strategy>(inner: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    prop::option::weighted(0.8, inner)
}

fn longs() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -9_i64..9]
}

fn keyed<K: Ord + std::fmt::Debug + Clone, V: std::fmt::Debug + Clone>(
    keys: impl Strategy<Value = K>,
    values: impl Strategy<Value = V>,
) -> impl Strategy<Value = Vec<(K, V)>> {
    prop::collection::btree_map(keys, values, 0..4).prop_map(|map| map.into_iter().collect())
}

fn inner() -> impl Strategy<Value = Inner> {
    (
        maybe(days()),
        maybe(bytes()),
        maybe(any::<f64>()),
        maybe(words()),
        maybe(prop::collection::vec(maybe(longs()), 0..4)),
    )
        .prop_map(|(date, binary, double, text, longs)| Inner { date, binary, double, text, longs })
}

fn row() -> impl Strategy<Value = Row> {
    let numbers = (
        maybe(any::<bool>()),
        maybe(any::<i8>()),
        maybe(any::<i16>()),
        maybe(any::<i32>()),
        maybe(longs()),
        maybe(prop_oneof![any::<f32>(), Just(1e10), Just(1e-5), Just(-0.0)]),
        maybe(prop_oneof![any::<f64>(), any::<i32>().prop_map(f64::from), Just(1e16), Just(f64::NAN)]),
        maybe(-999_999_999_999_999_i128..=999_999_999_999_999),
        maybe(big()),
    );
    let words = (
        maybe(words()),
        maybe(days()),
        maybe(micros()),
        maybe(micros()),
        maybe(bytes()),
        maybe(-10_000_i32..10_000),
        maybe(any::<i64>()),
    );
    let complex = (
        maybe(prop::collection::vec(maybe(big()), 0..4)),
        maybe(keyed(self::words(), maybe(micros()))),
        maybe(keyed(any::<i32>(), maybe(any::<bool>()))),
        maybe(inner()),
        maybe(prop_oneof![Just("{\"a\": [1, 12345678901234567890.5]}".to_owned()), Just("\"x\"".to_owned())]),
    );
    (numbers, words, complex, -1079..1079_i32, any::<bool>(), any::<bool>()).prop_map(
        |(numbers, words, complex, zone, sparse, exponent)| Row {
            boolean: numbers.0,
            byte: numbers.1,
            short: numbers.2,
            int: numbers.3,
            long: numbers.4,
            float: numbers.5,
            double: numbers.6,
            small: numbers.7,
            large: numbers.8,
            text: words.0,
            date: words.1,
            moment: words.2,
            local: words.3,
            binary: words.4,
            months: words.5,
            nanos: words.6,
            decimals: complex.0,
            moments: complex.1,
            flags: complex.2,
            inner: complex.3,
            variant: complex.4,
            zone,
            sparse,
            exponent,
        },
    )
}

fn columns() -> Vec<Column> {
    [
        ("BOOLEAN", "BOOLEAN"),
        ("BYTE", "TINYINT"),
        ("SHORT", "SMALLINT"),
        ("INT", "INT"),
        ("LONG", "BIGINT"),
        ("FLOAT", "FLOAT"),
        ("DOUBLE", "DOUBLE"),
        ("DECIMAL", "DECIMAL(15,2)"),
        ("DECIMAL", "DECIMAL(38,18)"),
        ("STRING", "STRING"),
        ("DATE", "DATE"),
        ("TIMESTAMP", "TIMESTAMP"),
        ("TIMESTAMP_NTZ", "TIMESTAMP_NTZ"),
        ("BINARY", "BINARY"),
        ("INTERVAL", "INTERVAL YEAR TO MONTH"),
        ("INTERVAL", "INTERVAL DAY TO SECOND"),
        ("ARRAY", "ARRAY<DECIMAL(38,3)>"),
        ("MAP", "MAP<STRING, TIMESTAMP>"),
        ("MAP", "MAP<INT, BOOLEAN>"),
        (
            "STRUCT",
            "STRUCT<day: DATE, `b:`: BINARY COMMENT 'it''s, >', x: DOUBLE NOT NULL, s: STRING, n: ARRAY<BIGINT>>",
        ),
        ("VARIANT", "VARIANT"),
        ("NULL", "VOID"),
    ]
    .iter()
    .enumerate()
    .map(|(index, (name, text))| column(&format!("c{index}"), name, text))
    .collect()
}

fn decimal(unscaled: i128, scale: usize) -> String {
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" })
}

fn floating(value: f64, text: String) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        text
    }
}

fn day(days: i32) -> String {
    let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days));
    date.to_string()
}

fn moment(micros: i64, zone: Option<i32>) -> String {
    let offset = jiff::tz::Offset::from_seconds(zone.unwrap_or(0) * 60).unwrap();
    let at = offset.to_datetime(jiff::Timestamp::from_microsecond(micros).unwrap());
    let digits = if micros % 1000 == 0 { format!("{at:.3}") } else { format!("{at:.6}") };
    match zone {
        None => digits,
        Some(0) => format!("{digits}Z"),
        Some(zone) => {
            let sign = if zone < 0 { '-' } else { '+' };
            format!("{digits}{sign}{:02}:{:02}", zone.abs() / 60, zone.abs() % 60)
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn interval_months(months: i32) -> String {
    format!("{}{}-{}", if months < 0 { "-" } else { "" }, months.abs() / 12, months.abs() % 12)
}

fn interval_nanos(nanos: i64) -> String {
    let span = jiff::SignedDuration::from_nanos(nanos);
    let seconds = span.as_secs().abs();
    format!(
        "{}{} {:02}:{:02}:{:02}.{:09}",
        if nanos < 0 { "-" } else { "" },
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        span.subsec_nanos().abs()
    )
}

fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn or_null(text: Option<String>) -> String {
    text.unwrap_or_else(|| "null".to_owned())
}

/// The text of an inner value, as a member of an object.
fn members(members: Vec<(&str, Option<String>)>, sparse: bool) -> String {
    let parts: Vec<String> = members
        .into_iter()
        .filter(|(_, value)| value.is_some() || !sparse)
        .map(|(name, value)| format!("{}: {}", quote(name), or_null(value)))
        .collect();
    format!("{{{}}}", parts.join(", "))
}

impl Row {
    /// The cells as Databricks writes them.
    fn cells(&self, form: BinaryForm) -> Vec<Option<String>> {
        let binary = |bytes: &Vec<u8>| match form {
            BinaryForm::Base64 => STANDARD.encode(bytes),
            BinaryForm::Hexadecimal => hex(bytes),
        };
        let double =
            |value: f64| floating(value, if self.exponent { format!("{value:E}") } else { format!("{value}") });
        let float =
            |value: f32| floating(value.into(), if self.exponent { format!("{value:E}") } else { format!("{value}") });
        let map = |parts: Vec<String>| format!("{{{}}}", parts.join(","));
        vec![
            self.boolean.map(|value| value.to_string()),
            self.byte.map(|value| value.to_string()),
            self.short.map(|value| value.to_string()),
            self.int.map(|value| value.to_string()),
            self.long.map(|value| value.to_string()),
            self.float.map(float),
            self.double.map(double),
            self.small.map(|value| decimal(value, 2)),
            self.large.map(|value| decimal(value, 18)),
            self.text.clone(),
            self.date.map(day),
            self.moment.map(|micros| moment(micros, Some(self.zone))),
            self.local.map(|micros| moment(micros, None)),
            self.binary.as_ref().map(binary),
            self.months.map(interval_months),
            self.nanos.map(interval_nanos),
            self.decimals.as_ref().map(|items| {
                let items: Vec<String> = items.iter().map(|item| or_null(item.map(|item| decimal(item, 3)))).collect();
                format!("[{}]", items.join(" ,\n"))
            }),
            self.moments.as_ref().map(|pairs| {
                let text = |micros: i64| quote(&moment(micros, Some(self.zone)));
                map(pairs.iter().map(|(key, value)| format!("{}:{}", quote(key), or_null(value.map(text)))).collect())
            }),
            self.flags.as_ref().map(|pairs| {
                let text = |flag: bool| flag.to_string();
                map(pairs.iter().map(|(key, value)| format!("\"{key}\":{}", or_null(value.map(text)))).collect())
            }),
            self.inner.as_ref().map(|inner| {
                let number = |value: f64| {
                    let text = double(value);
                    if value.is_finite() { text } else { quote(&text) }
                };
                let list = |items: &Vec<Option<i64>>| {
                    let items: Vec<String> =
                        items.iter().map(|item| or_null(item.map(|item| item.to_string()))).collect();
                    format!("[{}]", items.join(","))
                };
                members(
                    vec![
                        ("day", inner.date.map(|days| quote(&day(days)))),
                        ("b:", inner.binary.as_ref().map(|bytes| quote(&binary(bytes)))),
                        ("x", inner.double.map(number)),
                        ("s", inner.text.as_deref().map(quote)),
                        ("n", inner.longs.as_ref().map(list)),
                    ],
                    self.sparse,
                )
            }),
            self.variant.clone(),
            None,
        ]
    }
}

fn arrays(rows: &[Row]) -> Vec<(String, ArrayRef)> {
    let decimals = |of: fn(&Row) -> Option<i128>, precision, scale| -> ArrayRef {
        let array: Decimal128Array = rows.iter().map(of).collect();
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap())
    };
    let mut lists = ListBuilder::new(Decimal128Builder::new().with_data_type(DataType::Decimal128(38, 3)));
    let moments_type = DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("Etc/UTC".into()));
    let mut moments = MapBuilder::new(
        None,
        StringBuilder::new(),
        TimestampMicrosecondBuilder::new().with_data_type(moments_type.clone()),
    );
    let mut flags = MapBuilder::new(None, Int32Builder::new(), BooleanBuilder::new());
    let mut inner_longs = ListBuilder::new(Int64Builder::new());
    for row in rows {
        lists.append_option(row.decimals.clone());
        for (key, value) in row.moments.iter().flatten() {
            moments.keys().append_value(key);
            moments.values().append_option(*value);
        }
        moments.append(row.moments.is_some()).unwrap();
        for (key, value) in row.flags.iter().flatten() {
            flags.keys().append_value(*key);
            flags.values().append_option(*value);
        }
        flags.append(row.flags.is_some()).unwrap();
        inner_longs.append_option(row.inner.as_ref().and_then(|inner| inner.longs.clone()));
    }
    let inner = |of: fn(&Inner) -> Option<f64>| {
        rows.iter().map(|row| row.inner.as_ref().and_then(of)).collect::<Float64Array>()
    };
    let inner_longs = inner_longs.finish();
    let fields = Fields::from(vec![
        Field::new("day", DataType::Date32, true),
        Field::new("b:", DataType::Binary, true),
        Field::new("x", DataType::Float64, true),
        Field::new("s", DataType::Utf8View, true),
        Field::new("n", inner_longs.data_type().clone(), true),
    ]);
    let children: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.inner.as_ref()?.date).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|row| row.inner.as_ref()?.binary.as_deref()).collect::<BinaryArray>()),
        Arc::new(inner(|inner| inner.double)),
        Arc::new(rows.iter().map(|row| row.inner.as_ref()?.text.as_deref()).collect::<StringViewArray>()),
        Arc::new(inner_longs),
    ];
    let known = rows.iter().map(|row| row.inner.is_some()).collect::<NullBuffer>();
    let all: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.boolean).collect::<BooleanArray>()),
        Arc::new(rows.iter().map(|row| row.byte).collect::<Int8Array>()),
        Arc::new(rows.iter().map(|row| row.short).collect::<Int16Array>()),
        Arc::new(rows.iter().map(|row| row.int).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.long).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.float).collect::<Float32Array>()),
        Arc::new(rows.iter().map(|row| row.double).collect::<Float64Array>()),
        decimals(|row| row.small, 15, 2),
        decimals(|row| row.large, 38, 18),
        Arc::new(rows.iter().map(|row| row.text.as_deref()).collect::<DictionaryArray<types::Int32Type>>()),
        Arc::new(rows.iter().map(|row| row.date).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|row| row.moment).collect::<TimestampMicrosecondArray>().with_timezone("Etc/UTC")),
        Arc::new(rows.iter().map(|row| row.local).collect::<TimestampMicrosecondArray>()),
        Arc::new(rows.iter().map(|row| row.binary.as_deref()).collect::<LargeBinaryArray>()),
        Arc::new(rows.iter().map(|row| row.months).collect::<IntervalYearMonthArray>()),
        Arc::new(rows.iter().map(|row| row.nanos).collect::<DurationNanosecondArray>()),
        Arc::new(lists.finish()),
        Arc::new(moments.finish()),
        Arc::new(flags.finish()),
        Arc::new(StructArray::new(fields, children, Some(known))),
        Arc::new(rows.iter().map(|row| row.variant.as_deref()).collect::<LargeStringArray>()),
        Arc::new(NullArray::new(rows.len())),
    ];
    all.into_iter().enumerate().map(|(index, array)| (format!("c{index}"), array)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_result_reads_the_same_in_both_forms(
        rows in prop::collection::vec(row(), 1..9),
        options in (0..3_u8, any::<bool>(), any::<bool>()),
        hexadecimal: bool,
        piece in prop_oneof![Just(1_usize), 40..4000_usize],
        cut in 1..5_usize,
    ) {
        let binary = if hexadecimal { BinaryForm::Hexadecimal } else { BinaryForm::Base64 };
        let shape = if options.2 { Shape::Arrays } else { Shape::Objects };
        let values = ValueOptions {
            decimals_as_number: [None, Some(true), Some(false)][usize::from(options.0)],
            bigints_as_string: options.1,
        };
        let columns = columns();
        let cells: Vec<Vec<Option<String>>> = rows.iter().map(|row| row.cells(binary)).collect();
        let text = serde_json::to_vec(&cells).unwrap();
        let arrays = arrays(&rows);
        let whole = batch(arrays.iter().map(|(name, array)| (name.as_str(), array.clone())).collect());
        let batches: Vec<RecordBatch> =
            (0..rows.len()).step_by(cut).map(|from| whole.slice(from, cut.min(rows.len() - from))).collect();
        let arrow = frames(&stream(&batches), cut);
        for format in [Format::Json, Format::Ndjson, Format::Csv] {
            let output = Output { format, shape, values };
            let from_text = ChunkData::JsonArray { text: text.clone().into(), binary };
            let from_text = written(&columns, output, vec![from_text], piece).unwrap();
            let from_arrow = written(&columns, output, vec![ChunkData::ArrowStream(arrow.clone().into())], usize::MAX).unwrap();
            prop_assert_eq!(String::from_utf8(from_text).unwrap(), String::from_utf8(from_arrow).unwrap());
        }
        let output = Output { format: Format::Json, shape, values };
        let json = written(&columns, output, vec![ChunkData::ArrowStream(arrow.into())], piece).unwrap();
        let read: Vec<Value> = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(read.len(), rows.len());
    }
}
