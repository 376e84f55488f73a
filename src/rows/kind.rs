//! SQL types as a tree, read from a column's `type_text`, so that what lies inside ARRAY, MAP and STRUCT follows the
//! same rules as what stands in a column of its own. How a value is written is not here.

use super::Column;

/// Deeper than any table that a person has made; it bounds the stack.
const DEEPEST: usize = 64;

/// What a cell, or a value inside one, is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    /// Precision and scale, where they are told.
    Decimal(Option<(u8, u8)>),
    /// STRING, and every type that is not known.
    String,
    Interval,
    Date,
    Timestamp,
    TimestampNtz,
    Binary,
    /// VOID.
    Null,
    Array(Box<Self>),
    Map(Box<(Self, Self)>),
    Struct(Vec<(String, Self)>),
    /// JSON whose inside is not told: VARIANT, or a type text that cannot be read.
    Json,
}

impl Kind {
    pub(super) fn of(column: &Column) -> Self {
        match column.type_name.as_str() {
            "BOOLEAN" => Self::Boolean,
            "BYTE" => Self::Byte,
            "SHORT" => Self::Short,
            "INT" => Self::Int,
            "LONG" => Self::Long,
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "DECIMAL" => Self::Decimal(match (column.precision, column.scale) {
                (Some(precision), Some(scale)) => decimal(&precision.to_string(), &scale.to_string()),
                _ => match Self::parse(&column.type_text) {
                    Some(Self::Decimal(digits)) => digits,
                    _ => None,
                },
            }),
            "DATE" => Self::Date,
            "TIMESTAMP" => Self::Timestamp,
            "TIMESTAMP_NTZ" => Self::TimestampNtz,
            "BINARY" => Self::Binary,
            "INTERVAL" => Self::Interval,
            "NULL" => Self::Null,
            "ARRAY" | "MAP" | "STRUCT" => match Self::parse(&column.type_text) {
                Some(kind @ (Self::Array(_) | Self::Map(_) | Self::Struct(_))) => kind,
                _ => Self::Json,
            },
            "VARIANT" => Self::Json,
            _ => Self::String,
        }
    }

    /// Reads a type text such as `ARRAY<STRUCT<a: INT, t: TIMESTAMP>>`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let kind = reader.kind(0)?;
        reader.rest.trim().is_empty().then_some(kind)
    }

    /// ARRAY, MAP, STRUCT and VARIANT.
    pub(super) fn is_complex(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(_) | Self::Struct(_) | Self::Json)
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn kind(&mut self, depth: usize) -> Option<Kind> {
        if depth > DEEPEST {
            return None;
        }
        let word = self.word().to_ascii_uppercase();
        Some(match word.as_str() {
            "BOOLEAN" => Kind::Boolean,
            "TINYINT" | "BYTE" => Kind::Byte,
            "SMALLINT" | "SHORT" => Kind::Short,
            "INT" | "INTEGER" => Kind::Int,
            "BIGINT" | "LONG" => Kind::Long,
            "FLOAT" | "REAL" => Kind::Float,
            "DOUBLE" => Kind::Double,
            "DECIMAL" | "DEC" | "NUMERIC" => Kind::Decimal(self.arguments().and_then(|inside| {
                let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
                decimal(precision, scale)
            })),
            "STRING" => Kind::String,
            "CHAR" | "VARCHAR" => {
                self.arguments();
                Kind::String
            }
            "DATE" => Kind::Date,
            "TIMESTAMP" | "TIMESTAMP_LTZ" => Kind::Timestamp,
            "TIMESTAMP_NTZ" => Kind::TimestampNtz,
            "BINARY" => Kind::Binary,
            "VOID" | "NULL" => Kind::Null,
            "INTERVAL" => {
                // `DAY TO SECOND`, with precisions in old texts.
                let end = self.rest.find([',', '>']).unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
                Kind::Interval
            }
            "ARRAY" => {
                self.take('<')?;
                let item = self.kind(depth + 1)?;
                self.attributes();
                self.take('>')?;
                Kind::Array(Box::new(item))
            }
            "MAP" => {
                self.take('<')?;
                let key = self.kind(depth + 1)?;
                self.attributes();
                self.take(',')?;
                let value = self.kind(depth + 1)?;
                self.attributes();
                self.take('>')?;
                Kind::Map(Box::new((key, value)))
            }
            "STRUCT" => self.fields(depth)?,
            "" => return None,
            // VARIANT, and what is new: its JSON stands as it came.
            _ => {
                self.arguments();
                Kind::Json
            }
        })
    }

    fn fields(&mut self, depth: usize) -> Option<Kind> {
        let mut fields = Vec::new();
        self.take('<')?;
        while self.take('>').is_none() {
            if !fields.is_empty() {
                self.take(',')?;
            }
            let name = self.name()?;
            self.take(':')?;
            let kind = self.kind(depth + 1)?;
            self.attributes();
            fields.push((name, kind));
        }
        Some(Kind::Struct(fields))
    }

    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A field's name: bare up to the colon, or between backticks, of which two say one.
    fn name(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let Some(mut quoted) = self.rest.strip_prefix('`') else {
            let (name, _) = self.rest.split_once(':')?;
            self.rest = &self.rest[name.len()..];
            return Some(name.trim_end().to_owned());
        };
        let mut name = String::new();
        loop {
            let (part, after) = quoted.split_once('`')?;
            name.push_str(part);
            let Some(more) = after.strip_prefix('`') else {
                self.rest = after;
                return Some(name);
            };
            name.push('`');
            quoted = more;
        }
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(wanted)?;
        Some(())
    }

    /// What stands in parentheses behind a type.
    fn arguments(&mut self) -> Option<&'a str> {
        let (inside, rest) = self.rest.trim_start().strip_prefix('(')?.split_once(')')?;
        self.rest = rest;
        Some(inside)
    }

    /// `NOT NULL`, `COLLATE …`, `COMMENT '…'`: nothing that changes how a value is written.
    fn attributes(&mut self) {
        let mut quoted = false;
        let end = self.rest.char_indices().find(|(_, c)| {
            quoted ^= *c == '\'';
            !quoted && matches!(c, ',' | '>')
        });
        self.rest = &self.rest[end.map_or(self.rest.len(), |(at, _)| at)..];
    }
}

fn decimal(precision: &str, scale: &str) -> Option<(u8, u8)> {
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    ((1..=38).contains(&precision) && scale <= precision).then_some((precision, scale))
}
