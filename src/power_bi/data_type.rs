//! The types that columns of push tables have. What values they take is no business of this room.

/// Types of columns ("Push semantic model properties", Power BI developer docs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    Int64,
    Double,
    Boolean,
    Datetime,
    String,
    Decimal,
}

impl DataType {
    /// Names are compared without case; `bool` is an older one.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "int64" => Self::Int64,
            "double" => Self::Double,
            "boolean" | "bool" => Self::Boolean,
            "datetime" => Self::Datetime,
            "string" => Self::String,
            "decimal" => Self::Decimal,
            _ => return None,
        })
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Int64 => "Int64",
            Self::Double => "Double",
            Self::Boolean => "Boolean",
            Self::Datetime => "Datetime",
            Self::String => "String",
            Self::Decimal => "Decimal",
        }
    }
}
