//! The types of a table's columns, as Unity Catalog writes them (`decimal(18,2)`, `array<struct<a:int>>`), and how a
//! column's values travel: what stands for it in the schema of `from_json`, and what is read from that.
//!
//! Decimals, dates, times and bytes travel as text and are cast, so that no JSON reader has a say in their digits, their
//! zone or their form.

use crate::databricks::TableColumn;

/// A type whose values can be checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// TINYINT to BIGINT, by the bits that hold it.
    Integer(u32),
    Decimal {
        precision: u32,
        scale: u32,
    },
    Float,
    Double,
    Boolean,
    /// STRING, or VARCHAR and CHAR with their length.
    Text(Option<usize>),
    Date,
    Timestamp,
    TimestampNtz,
    Binary,
    Variant,
    Array(Box<Type>),
    Map(Box<Type>, Box<Type>),
    Struct(Vec<(String, Type)>),
    /// INTERVAL, GEOGRAPHY and what else there may come.
    Unknown,
}

/// A column, as rows are checked against it.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    pub kind: Type,
    pub type_text: String,
    pub nullable: bool,
    pub generated: bool,
    pub has_default: bool,
}

impl Column {
    pub(super) fn of(column: &TableColumn) -> Self {
        Self {
            name: column.name.clone(),
            kind: Type::read(&column.type_text),
            type_text: column.type_text.clone(),
            nullable: column.nullable,
            generated: column.generated,
            has_default: column.has_default,
        }
    }

    /// Its type in the schema of `from_json`.
    pub(super) fn wire_type(&self) -> &str {
        match &self.kind {
            Type::Integer(8) => "TINYINT",
            Type::Integer(16) => "SMALLINT",
            Type::Integer(32) => "INT",
            Type::Integer(_) => "BIGINT",
            Type::Float => "FLOAT",
            Type::Double => "DOUBLE",
            Type::Boolean => "BOOLEAN",
            Type::Array(_) | Type::Map(..) | Type::Struct(_) | Type::Unknown => &self.type_text,
            Type::Decimal { .. }
            | Type::Text(_)
            | Type::Date
            | Type::Timestamp
            | Type::TimestampNtz
            | Type::Binary
            | Type::Variant => "STRING",
        }
    }

    /// The column's value out of what `from_json` read under `field`.
    pub(super) fn read(&self, field: &str) -> String {
        match &self.kind {
            Type::Decimal { precision, scale } => format!("CAST({field} AS DECIMAL({precision},{scale}))"),
            Type::Date => format!("CAST({field} AS DATE)"),
            Type::Timestamp => format!("CAST({field} AS TIMESTAMP)"),
            Type::TimestampNtz => format!("CAST({field} AS TIMESTAMP_NTZ)"),
            Type::Binary => format!("unbase64({field})"),
            Type::Variant => format!("parse_json({field})"),
            _ => field.to_owned(),
        }
    }

    /// Whether rows can be told apart by it.
    pub(super) fn can_be_key(&self) -> bool {
        !matches!(self.kind, Type::Array(_) | Type::Map(..) | Type::Struct(_) | Type::Variant | Type::Unknown)
    }
}

impl Type {
    /// Reads a type text. Names inside a STRUCT are not quoted there, so one with odd letters makes it `Unknown`.
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let inside = |head: &str, open: char, close: char| -> Option<&str> {
            let rest = text.get(head.len()..).filter(|_| lower.starts_with(head))?;
            rest.trim().strip_prefix(open)?.strip_suffix(close).map(str::trim)
        };
        match lower.as_str() {
            "tinyint" | "byte" => return Self::Integer(8),
            "smallint" | "short" => return Self::Integer(16),
            "int" | "integer" => return Self::Integer(32),
            "bigint" | "long" => return Self::Integer(64),
            "float" | "real" => return Self::Float,
            "double" => return Self::Double,
            "boolean" => return Self::Boolean,
            "string" => return Self::Text(None),
            "date" => return Self::Date,
            "timestamp" | "timestamp_ltz" => return Self::Timestamp,
            "timestamp_ntz" => return Self::TimestampNtz,
            "binary" => return Self::Binary,
            "variant" => return Self::Variant,
            "decimal" | "dec" | "numeric" => return Self::Decimal { precision: 10, scale: 0 },
            _ => {}
        }
        let read = || -> Option<Self> {
            if let Some(size) = inside("decimal", '(', ')') {
                let (precision, scale) = size.split_once(',').unwrap_or((size, "0"));
                return Some(Self::Decimal {
                    precision: precision.trim().parse().ok()?,
                    scale: scale.trim().parse().ok()?,
                });
            }
            for head in ["varchar", "char"] {
                if let Some(length) = inside(head, '(', ')') {
                    return Some(Self::Text(Some(length.parse().ok()?)));
                }
            }
            // Its text may name a collation: `string collate UTF8_LCASE`.
            if lower.starts_with("string collate ") {
                return Some(Self::Text(None));
            }
            if let Some(item) = inside("array", '<', '>') {
                return Some(Self::Array(Box::new(Self::known(item)?)));
            }
            if let Some(pair) = inside("map", '<', '>') {
                let [key, value] = split(pair)[..] else { return None };
                return Some(Self::Map(Box::new(Self::known(key)?), Box::new(Self::known(value)?)));
            }
            let fields = inside("struct", '<', '>')?;
            let field = |field: &str| -> Option<(String, Self)> {
                let (name, kind) = field.split_once(':')?;
                let plain = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
                plain.then(|| Some((name.trim().to_owned(), Self::known(kind)?))).flatten()
            };
            Some(Self::Struct(split(fields).into_iter().map(field).collect::<Option<_>>()?))
        };
        read().unwrap_or(Self::Unknown)
    }

    fn known(text: &str) -> Option<Self> {
        Some(Self::read(text)).filter(|kind| *kind != Self::Unknown)
    }
}

/// The parts between commas that stand in no brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_i32, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '<' | '(' => depth += 1,
            '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_unity_catalog_writes_them() {
        assert_eq!(Type::read("decimal(18,2)"), Type::Decimal { precision: 18, scale: 2 });
        assert_eq!(Type::read("VARCHAR(10)"), Type::Text(Some(10)));
        assert_eq!(Type::read("bigint"), Type::Integer(64));
        let nested = Type::read("array<struct<a:int,b:map<string,decimal(5,1)>>>");
        let map = Type::Map(Box::new(Type::Text(None)), Box::new(Type::Decimal { precision: 5, scale: 1 }));
        let fields = vec![("a".to_owned(), Type::Integer(32)), ("b".to_owned(), map)];
        assert_eq!(nested, Type::Array(Box::new(Type::Struct(fields))));
        for odd in [
            "interval year to month",
            "geography(4326)",
            "struct<a b:int>",
            "array<interval day>",
            "array<int",
            "décimal",
        ] {
            assert_eq!(Type::read(odd), Type::Unknown, "{odd}");
        }
    }
}
