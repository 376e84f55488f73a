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
    pub const ALL: [Self; 6] = [Self::Int64, Self::Double, Self::Boolean, Self::Datetime, Self::String, Self::Decimal];
    /// Digits that a Decimal keeps after the point: "precision 28, scale 4".
    pub const DECIMAL_SCALE: u32 = 4;

    /// The docs write Datetime, the swagger bool and string: letter case does not count.
    pub fn named(name: &str) -> Option<Self> {
        let name = if name.eq_ignore_ascii_case("bool") { "Boolean" } else { name };
        Self::ALL.into_iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// In the spelling that goes out.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Int64 => "Int64",
            Self::Double => "Double",
            Self::Boolean => "Boolean",
            Self::Datetime => "DateTime",
            Self::String => "String",
            Self::Decimal => "Decimal",
        }
    }
}
