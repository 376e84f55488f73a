//! Which Arrow types a column of a SQL type may have, and its cells taken from there. How cells are written is
//! `cells.rs`.

use arrow_array::cast::{AsArray, as_fixed_size_list_array};
use arrow_array::types::{
    Date32Type, Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalYearMonthType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

use super::ValueOptions;
use super::cells::{Binaries, Cells, Offsets, Texts, Unit, Values};
use super::chunk::BinaryForm;
use super::column::decimal_as_number;
use super::json_text::push_string;
use super::kind::Kind;

/// What the cells of a column are read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) options: ValueOptions,
    /// How BINARY stands inside JSON text.
    pub(super) binary: BinaryForm,
}

impl Rules {
    /// The cells of `array` as values of this kind; `None` where such an array cannot hold them.
    pub(super) fn cells(self, array: &ArrayRef, kind: &Kind) -> Option<Cells> {
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            let plain = arrow_select::take::take(dictionary.values(), dictionary.keys(), None).ok()?;
            return self.cells(&plain, kind);
        }
        let values = match array.data_type() {
            DataType::Null => Values::Null,
            _ if matches!(kind, Kind::Null) && array.null_count() == array.len() => Values::Null,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => self.text(array, kind)?,
            _ => self.values(array, kind)?,
        };
        Some(Cells { nulls: array.nulls().filter(|nulls| nulls.null_count() > 0).cloned(), values })
    }

    /// Text says a STRING, and stands for what Databricks has written as text.
    fn text(self, array: &ArrayRef, kind: &Kind) -> Option<Values> {
        let text = match array.data_type() {
            DataType::Utf8 => Texts::Utf8(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Texts::Large(array.as_string::<i64>().clone()),
            _ => Texts::View(array.as_string_view().clone()),
        };
        Some(match kind {
            Kind::String | Kind::Interval => Values::Text(text),
            Kind::Decimal(digits) => {
                let precision = digits.map(|(precision, _)| u32::from(precision));
                Values::Digits { text, quotes: !decimal_as_number(precision, self.options) }
            }
            complex if complex.is_complex() => {
                Values::Json { text, kind: complex.clone(), options: self.options, binary: self.binary }
            }
            _ => return None,
        })
    }

    fn values(self, array: &ArrayRef, kind: &Kind) -> Option<Values> {
        Some(match (kind, array.data_type()) {
            (Kind::Boolean, DataType::Boolean) => Values::Boolean(array.as_boolean().clone()),
            (Kind::Byte | Kind::Short | Kind::Int, DataType::Int8) => {
                Values::Byte(array.as_primitive::<Int8Type>().values().clone())
            }
            (Kind::Byte | Kind::Short | Kind::Int, DataType::Int16) => {
                Values::Short(array.as_primitive::<Int16Type>().values().clone())
            }
            (Kind::Byte | Kind::Short | Kind::Int, DataType::Int32) => {
                Values::Int(array.as_primitive::<Int32Type>().values().clone())
            }
            (Kind::Byte | Kind::Short | Kind::Int | Kind::Long, DataType::Int64) => Values::Long {
                values: array.as_primitive::<Int64Type>().values().clone(),
                quotes: matches!(kind, Kind::Long) && self.options.bigints_as_string,
            },
            (Kind::Float, DataType::Float32) => Values::Float(array.as_primitive::<Float32Type>().values().clone()),
            (Kind::Double, DataType::Float64) => Values::Double(array.as_primitive::<Float64Type>().values().clone()),
            (Kind::Decimal(_), DataType::Decimal128(precision, scale)) => Values::Decimal {
                values: array.as_primitive::<Decimal128Type>().clone(),
                scale: usize::try_from(*scale).ok()?,
                quotes: !decimal_as_number(Some((*precision).into()), self.options),
            },
            (Kind::Date, DataType::Date32) => Values::Date(array.as_primitive::<Date32Type>().values().clone()),
            (Kind::Timestamp, DataType::Timestamp(unit, Some(_))) => moments(array, *unit, true),
            (Kind::TimestampNtz, DataType::Timestamp(unit, None)) => moments(array, *unit, false),
            (Kind::Binary, DataType::Binary) => Values::Binary(Binaries::Binary(array.as_binary::<i32>().clone())),
            (Kind::Binary, DataType::LargeBinary) => Values::Binary(Binaries::Large(array.as_binary::<i64>().clone())),
            (Kind::Binary, DataType::BinaryView) => Values::Binary(Binaries::View(array.as_binary_view().clone())),
            (Kind::Binary, DataType::FixedSizeBinary(_)) => {
                Values::Binary(Binaries::Fixed(array.as_fixed_size_binary().clone()))
            }
            (Kind::Interval, DataType::Interval(unit)) => match unit {
                IntervalUnit::YearMonth => {
                    Values::Months(array.as_primitive::<IntervalYearMonthType>().values().clone())
                }
                IntervalUnit::DayTime => Values::DayTime(array.as_primitive::<IntervalDayTimeType>().values().clone()),
                IntervalUnit::MonthDayNano => {
                    Values::Mixed(array.as_primitive::<IntervalMonthDayNanoType>().values().clone())
                }
            },
            (Kind::Interval, DataType::Duration(unit)) => Values::Duration {
                values: match unit {
                    TimeUnit::Second => array.as_primitive::<DurationSecondType>().values().clone(),
                    TimeUnit::Millisecond => array.as_primitive::<DurationMillisecondType>().values().clone(),
                    TimeUnit::Microsecond => array.as_primitive::<DurationMicrosecondType>().values().clone(),
                    TimeUnit::Nanosecond => array.as_primitive::<DurationNanosecondType>().values().clone(),
                },
                unit: unit_of(*unit),
            },
            (complex, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
                if complex.is_complex() =>
            {
                self.list(array, complex)?
            }
            (complex, DataType::Map(..)) if complex.is_complex() => {
                let map = array.as_map();
                let (key, value) = match complex {
                    Kind::Map(pair) => (pair.0.clone(), pair.1.clone()),
                    _ => (told(map.keys().data_type()), told(map.values().data_type())),
                };
                Values::Map {
                    offsets: map.offsets().clone(),
                    keys: Box::new(self.cells(map.keys(), &key)?),
                    values: Box::new(self.cells(map.values(), &value)?),
                }
            }
            (complex, DataType::Struct(fields)) if complex.is_complex() => {
                let mut cells = Vec::with_capacity(fields.len());
                for (index, (field, child)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                    let kind = match complex {
                        Kind::Struct(kinds) if kinds.len() == fields.len() => kinds[index].1.clone(),
                        _ => told(field.data_type()),
                    };
                    let mut prefix = Vec::new();
                    if index > 0 {
                        prefix.push(b',');
                    }
                    push_string(&mut prefix, field.name());
                    prefix.push(b':');
                    cells.push((prefix, self.cells(child, &kind)?));
                }
                Values::Struct(cells)
            }
            _ => return None,
        })
    }

    fn list(self, array: &ArrayRef, kind: &Kind) -> Option<Values> {
        let (offsets, items) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                (Offsets::Small(list.offsets().clone()), list.values())
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (Offsets::Large(list.offsets().clone()), list.values())
            }
            _ => {
                let list = as_fixed_size_list_array(array);
                (Offsets::Fixed(usize::try_from(list.value_length()).ok()?), list.values())
            }
        };
        let item = match kind {
            Kind::Array(item) => (**item).clone(),
            _ => told(items.data_type()),
        };
        Some(Values::List { offsets, items: Box::new(self.cells(items, &item)?) })
    }
}

/// The kind that an Arrow type says by itself, where SQL's is not known.
fn told(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 => Kind::Byte,
        DataType::Int16 => Kind::Short,
        DataType::Int32 => Kind::Int,
        DataType::Int64 => Kind::Long,
        DataType::Float32 => Kind::Float,
        DataType::Float64 => Kind::Double,
        DataType::Decimal128(..) => Kind::Decimal(None),
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(_, Some(_)) => Kind::Timestamp,
        DataType::Timestamp(_, None) => Kind::TimestampNtz,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Kind::Binary,
        DataType::Interval(_) | DataType::Duration(_) => Kind::Interval,
        DataType::Null => Kind::Null,
        DataType::Dictionary(_, values) => told(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::String,
        _ => Kind::Json,
    }
}

fn moments(array: &ArrayRef, unit: TimeUnit, utc: bool) -> Values {
    let values = match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values().clone(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values().clone(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values().clone(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values().clone(),
    };
    Values::Moment { values, unit: unit_of(unit), utc }
}

fn unit_of(unit: TimeUnit) -> Unit {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    Unit { per_second, nanos: 1_000_000_000 / per_second }
}
