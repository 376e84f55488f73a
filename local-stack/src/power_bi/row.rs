//! Rows as they come: split without being copied, and each value held against its column.

use std::borrow::Cow;
use std::fmt;

use axum::body::Bytes;
use axum::response::Response;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Column;
use super::reply::bad;

#[derive(Deserialize)]
struct Pushed<'a> {
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
}

/// The rows of a body, each a slice of it.
pub(super) fn split(body: &Bytes) -> Result<Vec<Bytes>, Response> {
    let pushed: Pushed<'_> =
        serde_json::from_slice(body).map_err(|cause| bad(&format!("The body is not valid: {cause}")))?;
    Ok(pushed.rows.into_iter().map(|row| body.slice_ref(row.get().as_bytes())).collect())
}

/// Whether every value of every row fits its column; the first that does not is named.
pub(super) fn check(rows: &[Bytes], columns: &[Column], table: &str) -> Result<(), Response> {
    for row in rows {
        let check = Check { columns, table, next: 0 };
        match serde_json::Deserializer::from_slice(row).deserialize_map(check) {
            Ok(None) => {}
            Ok(Some(why)) => return Err(bad(&why)),
            Err(cause) => return Err(bad(&format!("The body is not valid: {cause}"))),
        }
    }
    Ok(())
}

struct Check<'a> {
    columns: &'a [Column],
    table: &'a str,
    /// Where the next column most likely is.
    next: usize,
}

impl Check<'_> {
    fn column(&mut self, name: &str) -> Option<&Column> {
        let named = |at: usize| self.columns.get(at).is_some_and(|column| column.name == name);
        let at = if named(self.next) { self.next } else { (0..self.columns.len()).find(|at| named(*at))? };
        self.next = at + 1;
        self.columns.get(at)
    }

    fn refuses(&mut self, name: &str, value: &str) -> Option<String> {
        let table = self.table;
        let Some(column) = self.column(name) else {
            return Some(format!("The property '{name}' does not exist in the table '{table}'."));
        };
        let why = column.data_type.refuses(value)?;
        Some(format!("The value of the column '{name}' ({}) {why}.", column.data_type.name()))
    }
}

impl<'de> Visitor<'de> for Check<'_> {
    /// What is wrong, if anything is.
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut wrong = None;
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &'de RawValue = map.next_value()?;
            wrong = wrong.or_else(|| self.refuses(&name, value.get()));
        }
        Ok(wrong)
    }
}

/// A key, borrowed where it can be.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
