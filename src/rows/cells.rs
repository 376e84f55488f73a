//! The cells of one column of a batch, looked at once a batch, so that a cell costs neither a look-up nor an
//! allocation. Which Arrow types a column may have is `resolve.rs`; values by themselves are `scalar.rs`.

use std::ops::Range;

use arrow_array::types::{IntervalDayTime, IntervalMonthDayNano};
use arrow_array::{
    BinaryArray, BinaryViewArray, BooleanArray, Decimal128Array, FixedSizeBinaryArray, LargeBinaryArray,
    LargeStringArray, StringArray, StringViewArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};

use super::ValueOptions;
use super::chunk::BinaryForm;
use super::csv::push_field;
use super::interval::{push_mixed, push_months, push_nanos};
use super::json_text::push_string;
use super::json_tree::{Tree, push_key};
use super::kind::Kind;
use super::moment::{push_date, push_moment};
use super::number::{Floating, is_json_number, push_decimal, push_float_csv, push_integer};
use super::scalar::{push_base64, push_boolean, push_floating, quoted};

#[derive(Debug)]
pub(super) struct Cells {
    pub(super) nulls: Option<NullBuffer>,
    pub(super) values: Values,
}

#[derive(Debug)]
pub(super) enum Values {
    Null,
    Boolean(BooleanArray),
    Byte(ScalarBuffer<i8>),
    Short(ScalarBuffer<i16>),
    Int(ScalarBuffer<i32>),
    Long {
        values: ScalarBuffer<i64>,
        quotes: bool,
    },
    Float(ScalarBuffer<f32>),
    Double(ScalarBuffer<f64>),
    Decimal {
        values: Decimal128Array,
        scale: usize,
        quotes: bool,
    },
    /// Decimals as text, whose scale nobody told.
    Digits {
        text: Texts,
        quotes: bool,
    },
    Text(Texts),
    Date(ScalarBuffer<i32>),
    Moment {
        values: ScalarBuffer<i64>,
        unit: Unit,
        utc: bool,
    },
    Binary(Binaries),
    Months(ScalarBuffer<i32>),
    DayTime(ScalarBuffer<IntervalDayTime>),
    Mixed(ScalarBuffer<IntervalMonthDayNano>),
    Duration {
        values: ScalarBuffer<i64>,
        unit: Unit,
    },
    Json {
        text: Texts,
        kind: Kind,
        options: ValueOptions,
        binary: BinaryForm,
    },
    List {
        offsets: Offsets,
        items: Box<Cells>,
    },
    Map {
        offsets: OffsetBuffer<i32>,
        keys: Box<Cells>,
        values: Box<Cells>,
    },
    /// With the escaped name of each field, its colon, and the comma before it.
    Struct(Vec<(Vec<u8>, Cells)>),
}

#[derive(Debug)]
pub(super) enum Texts {
    Utf8(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

#[derive(Debug)]
pub(super) enum Binaries {
    Binary(BinaryArray),
    Large(LargeBinaryArray),
    View(BinaryViewArray),
    Fixed(FixedSizeBinaryArray),
}

#[derive(Debug)]
pub(super) enum Offsets {
    Small(OffsetBuffer<i32>),
    Large(OffsetBuffer<i64>),
    Fixed(usize),
}

/// How many make a second, and how many nanoseconds one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) per_second: i64,
    pub(super) nanos: i64,
}

impl Texts {
    #[inline]
    pub(super) fn get(&self, row: usize) -> &str {
        match self {
            Self::Utf8(texts) => texts.value(row),
            Self::Large(texts) => texts.value(row),
            Self::View(texts) => texts.value(row),
        }
    }
}

impl Binaries {
    fn get(&self, row: usize) -> &[u8] {
        match self {
            Self::Binary(values) => values.value(row),
            Self::Large(values) => values.value(row),
            Self::View(values) => values.value(row),
            Self::Fixed(values) => values.value(row),
        }
    }
}

impl Offsets {
    fn range(&self, row: usize) -> Range<usize> {
        match self {
            Self::Small(offsets) => small_range(offsets, row),
            Self::Large(offsets) => {
                let at = |index: usize| usize::try_from(offsets[index]).unwrap_or(0);
                at(row)..at(row + 1)
            }
            Self::Fixed(size) => row * size..(row + 1) * size,
        }
    }
}

fn small_range(offsets: &OffsetBuffer<i32>, row: usize) -> Range<usize> {
    let at = |index: usize| usize::try_from(offsets[index]).unwrap_or(0);
    at(row)..at(row + 1)
}

impl Cells {
    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    #[inline]
    pub(super) fn write_json(&self, out: &mut Vec<u8>, row: usize) {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match &self.values {
            Values::Text(texts) => push_string(out, texts.get(row)),
            Values::Int(values) => push_integer(out, values[row]),
            Values::Long { values, quotes } => quoted(out, *quotes, |out| push_integer(out, values[row])),
            Values::Double(values) => push_floating(out, values[row]),
            Values::Float(values) => push_floating(out, values[row]),
            Values::Date(values) => quoted(out, true, |out| push_date(out, values[row])),
            Values::Decimal { quotes, .. } | Values::Digits { quotes, .. } => {
                quoted(out, *quotes, |out| self.write_plain(out, row));
            }
            Values::Moment { .. }
            | Values::Binary(_)
            | Values::Months(_)
            | Values::DayTime(_)
            | Values::Mixed(_)
            | Values::Duration { .. } => quoted(out, true, |out| self.write_plain(out, row)),
            _ => self.write_plain(out, row),
        }
    }

    /// A field of CSV. `scratch` takes what may need quotes.
    #[inline]
    pub(super) fn write_csv(&self, out: &mut Vec<u8>, scratch: &mut Vec<u8>, row: usize) {
        if self.is_null(row) {
            return;
        }
        match &self.values {
            Values::Text(texts) | Values::Digits { text: texts, .. } => push_field(out, texts.get(row).as_bytes()),
            Values::Double(values) => push_floating_csv(out, values[row]),
            Values::Float(values) => push_floating_csv(out, values[row]),
            Values::Json { .. } | Values::List { .. } | Values::Map { .. } | Values::Struct(_) => {
                scratch.clear();
                self.write_plain(scratch, row);
                push_field(out, scratch);
            }
            _ => self.write_plain(out, row),
        }
    }

    /// What CSV has without quotes and JSON within them, where it has any.
    fn write_plain(&self, out: &mut Vec<u8>, row: usize) {
        match &self.values {
            Values::Null | Values::Text(_) | Values::Float(_) | Values::Double(_) => {}
            Values::Boolean(values) => push_boolean(out, values.value(row)),
            Values::Byte(values) => push_integer(out, values[row]),
            Values::Short(values) => push_integer(out, values[row]),
            Values::Int(values) => push_integer(out, values[row]),
            Values::Long { values, .. } => push_integer(out, values[row]),
            Values::Decimal { values, scale, .. } => push_decimal(out, values.value(row), *scale),
            Values::Digits { text, quotes } => {
                let text = text.get(row);
                // From Arrow it comes unchecked: what is no number must not break the JSON around it.
                if *quotes || !is_json_number(text) {
                    let start = out.len();
                    push_string(out, text);
                    if *quotes {
                        out.remove(start);
                        out.pop();
                    }
                } else {
                    out.extend_from_slice(text.as_bytes());
                }
            }
            Values::Date(values) => push_date(out, values[row]),
            Values::Moment { values, unit, utc } => {
                let nanos = values[row].rem_euclid(unit.per_second) * unit.nanos;
                push_moment(out, values[row].div_euclid(unit.per_second), u32::try_from(nanos).unwrap_or(0), *utc);
            }
            Values::Binary(values) => push_base64(out, values.get(row)),
            Values::Months(values) => push_months(out, values[row]),
            Values::DayTime(values) => {
                push_mixed(out, 0, values[row].days, i64::from(values[row].milliseconds) * 1_000_000);
            }
            Values::Mixed(values) => {
                push_mixed(out, values[row].months, values[row].days, values[row].nanoseconds);
            }
            Values::Duration { values, unit } => push_nanos(out, i128::from(values[row]) * i128::from(unit.nanos)),
            Values::Json { text, kind, options, binary } => {
                Tree::new(kind, *options, *binary).write(out, text.get(row));
            }
            Values::List { offsets, items } => {
                out.push(b'[');
                for (index, item) in offsets.range(row).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    items.write_json(out, item);
                }
                out.push(b']');
            }
            Values::Map { offsets, keys, values } => {
                out.push(b'{');
                let mut key = Vec::new();
                for (index, entry) in small_range(offsets, row).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    key.clear();
                    keys.write_json(&mut key, entry);
                    push_key(out, &key);
                    out.push(b':');
                    values.write_json(out, entry);
                }
                out.push(b'}');
            }
            Values::Struct(fields) => {
                out.push(b'{');
                for (prefix, cells) in fields {
                    out.extend_from_slice(prefix);
                    cells.write_json(out, row);
                }
                out.push(b'}');
            }
        }
    }
}

fn push_floating_csv(out: &mut Vec<u8>, value: impl Floating) {
    match value.special() {
        None => push_float_csv(out, value),
        Some(name) => out.extend_from_slice(name.as_bytes()),
    }
}
