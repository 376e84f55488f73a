//! The rows of a DAX result: which columns there are, and the same rows under other names. Values stay the text that they
//! came as, so that no digit is lost and no row is held twice.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::failure::{Code, Failure};

/// A whole result.
#[derive(Debug)]
pub struct DaxRows {
    /// As the service names them, `Table[Column]` or `[Column]`, in the order in which they first come.
    pub columns: Vec<String>,
    pub count: usize,
    /// A JSON array of objects.
    text: Bytes,
}

/// What is done with a row's members, one after the other.
trait Sink {
    fn row(&mut self) {}
    /// The `nth` member of its row.
    fn member(&mut self, nth: usize, name: &str, value: &RawValue) -> Result<(), String>;
    fn end_of_row(&mut self) {}
}

impl DaxRows {
    pub(super) fn read(text: Bytes) -> Result<Self, serde_json::Error> {
        let mut seen = Seen::default();
        pass(&text, &mut seen)?;
        Ok(Self { columns: seen.columns, count: seen.rows, text })
    }

    /// The rows as a JSON array, their members called as `names` says: one for each column, in order.
    pub fn write(&self, names: &[String], out: &mut Vec<u8>) -> Result<(), Failure> {
        let keys = names.iter().map(|name| Value::from(name.as_str()).to_string()).collect();
        out.reserve(self.text.len());
        out.push(b'[');
        let mut renamed = Renamed { columns: &self.columns, keys, first: true, out };
        pass(&self.text, &mut renamed)
            .map_err(|error| Failure::new(Code::Internal, "The rows cannot be written.").caused_by(error))?;
        out.push(b']');
        Ok(())
    }
}

/// Where a column stands. The next is mostly the one behind the last.
fn position(columns: &[String], nth: usize, name: &str) -> Option<usize> {
    if columns.get(nth).is_some_and(|known| known == name) {
        return Some(nth);
    }
    columns.iter().position(|known| known == name)
}

/// Counts rows and gathers names.
#[derive(Default)]
struct Seen {
    columns: Vec<String>,
    rows: usize,
}

impl Sink for Seen {
    fn member(&mut self, nth: usize, name: &str, _value: &RawValue) -> Result<(), String> {
        if position(&self.columns, nth, name).is_none() {
            self.columns.push(name.to_owned());
        }
        Ok(())
    }

    fn end_of_row(&mut self) {
        self.rows += 1;
    }
}

/// Writes rows under other names.
struct Renamed<'a> {
    columns: &'a [String],
    /// JSON texts.
    keys: Vec<String>,
    first: bool,
    out: &'a mut Vec<u8>,
}

impl Sink for Renamed<'_> {
    fn row(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'{');
    }

    fn member(&mut self, nth: usize, name: &str, value: &RawValue) -> Result<(), String> {
        let key = position(self.columns, nth, name).and_then(|at| self.keys.get(at));
        let key = key.ok_or_else(|| format!("no name for {name}"))?;
        if nth > 0 {
            self.out.push(b',');
        }
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(value.get().as_bytes());
        Ok(())
    }

    fn end_of_row(&mut self) {
        self.out.push(b'}');
    }
}

fn pass(text: &[u8], sink: &mut impl Sink) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    reader.deserialize_seq(Rows(sink))?;
    reader.end()
}

struct Rows<'a, S>(&'a mut S);

impl<'de, S: Sink> Visitor<'de> for Rows<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }
}

struct Row<'a, S>(&'a mut S);

impl<'de, S: Sink> DeserializeSeed<'de> for Row<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Row<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        self.0.row();
        let mut nth = 0;
        while let Some((name, value)) = row.next_entry::<String, &'de RawValue>()? {
            self.0.member(nth, &name, value).map_err(A::Error::custom)?;
            nth += 1;
        }
        self.0.end_of_row();
        Ok(())
    }
}
