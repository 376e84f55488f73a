//! The columns of a result, and which rule turns their cells into JSON. What the rules write is `scalar.rs`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::ValueOptions;

/// The most digits that every `f64` reader gives back unchanged.
const EXACT_DIGITS: u32 = 15;

/// A column as Databricks describes it and as callers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    pub name: String,
    /// The SQL type, such as `DECIMAL(38,18)` (`type_text`).
    #[serde(rename = "type")]
    pub type_text: String,
    /// `type_name` on the wire: an open set.
    pub type_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<u32>,
    /// How its values are written here.
    pub json: Conversion,
}

/// How a column's values are written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversion {
    Number,
    /// Digits kept as text, since a double would lose some.
    StringNumber,
    Boolean,
    String,
    Date,
    /// RFC 3339 in UTC.
    Timestamp,
    /// RFC 3339 without an offset.
    TimestampNtz,
    Base64,
    /// ARRAY, MAP, STRUCT, VARIANT as JSON.
    Json,
    Null,
}

impl Column {
    /// A column with the rule that its type and the caller's options choose.
    pub fn new(
        name: impl Into<String>,
        type_name: impl Into<String>,
        type_text: impl Into<String>,
        precision: Option<u32>,
        scale: Option<u32>,
        options: ValueOptions,
    ) -> Self {
        let mut column = Self {
            name: name.into(),
            type_text: type_text.into(),
            type_name: type_name.into(),
            precision,
            scale,
            json: Conversion::String,
        };
        column.json = column.conversion(options);
        column
    }

    /// The rule for this column's type under `options`. A type that is not known is written as a string.
    pub fn conversion(&self, options: ValueOptions) -> Conversion {
        match self.type_name.as_str() {
            "LONG" if options.bigints_as_string => Conversion::StringNumber,
            "BYTE" | "SHORT" | "INT" | "LONG" | "FLOAT" | "DOUBLE" => Conversion::Number,
            "DECIMAL" => {
                let as_number = decimal_as_number(self.digits(), options);
                if as_number { Conversion::Number } else { Conversion::StringNumber }
            }
            "BOOLEAN" => Conversion::Boolean,
            "DATE" => Conversion::Date,
            "TIMESTAMP" => Conversion::Timestamp,
            "TIMESTAMP_NTZ" => Conversion::TimestampNtz,
            "BINARY" => Conversion::Base64,
            "ARRAY" | "MAP" | "STRUCT" | "VARIANT" => Conversion::Json,
            "NULL" => Conversion::Null,
            _ => Conversion::String,
        }
    }

    /// Precision as told, else as it stands in `DECIMAL(p,s)`.
    fn digits(&self) -> Option<u32> {
        self.precision.or_else(|| {
            let (_, inside) = self.type_text.split_once('(')?;
            inside.split([',', ')']).next()?.trim().parse().ok()
        })
    }

    /// DECIMAL, whose digits `f64` may not hold.
    pub(super) fn is_decimal(&self) -> bool {
        self.type_name == "DECIMAL"
    }
}

/// Whether a DECIMAL of this precision is a number in JSON.
pub(super) fn decimal_as_number(precision: Option<u32>, options: ValueOptions) -> bool {
    options.decimals_as_number.unwrap_or_else(|| precision.is_some_and(|digits| digits <= EXACT_DIGITS))
}

/// One key for each column, in order. SQL allows two columns of one name, JSON objects do not: a later one gets the
/// suffix `_2`, `_3`, … (the first that no other column has), so that no value is lost silently.
pub(crate) fn unique_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let given: HashSet<&str> = names.clone().collect();
    let mut taken: HashSet<String> = HashSet::new();
    names
        .map(|name| {
            let mut key = name.to_owned();
            let mut number = 2_u32;
            while taken.contains(&key) || (key != name && given.contains(key.as_str())) {
                key = format!("{name}_{number}");
                number += 1;
            }
            taken.insert(key.clone());
            key
        })
        .collect()
}
