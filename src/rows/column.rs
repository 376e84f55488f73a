//! The columns of a result, and which rule turns their cells into JSON.

use serde::{Deserialize, Serialize};

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
