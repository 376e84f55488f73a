//! JSON text of an ARRAY, MAP or STRUCT written again along its type, so that what lies inside reads as it would in a
//! column of its own. Text that does not fit its type stands as it came, and as a string where it is no JSON (old
//! servers wrote inner dates without quotes).

use std::borrow::Cow;
use std::cell::Cell;

use super::ValueOptions;
use super::chunk::BinaryForm;
use super::json_text::{Scanner, is_json_word, push_clean_string, push_string};
use super::kind::Kind;
use super::scalar::Scalar;

/// How JSON text of one cell is written.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    kind: &'a Kind,
    options: ValueOptions,
    binary: BinaryForm,
    /// Fields of a STRUCT were found out of order: from there on none are expected to be in order, so that nothing is
    /// read again at every depth.
    shuffled: Cell<bool>,
}

impl<'a> Tree<'a> {
    pub(super) const fn new(kind: &'a Kind, options: ValueOptions, binary: BinaryForm) -> Self {
        Self { kind, options, binary, shuffled: Cell::new(false) }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>, text: &str) {
        let start = out.len();
        let mut scanner = Scanner::new(text.as_bytes());
        if self.kind != &Kind::Json && self.value(out, &mut scanner, self.kind, false).is_some() && scanner.at_end() {
            return;
        }
        out.truncate(start);
        let mut scanner = Scanner::new(text.as_bytes());
        match scanner.value() {
            Some(value) if scanner.at_end() => push_on_one_line(out, value),
            _ => push_string(out, text),
        }
    }

    /// Outside of a STRUCT old servers' words without quotes are understood; inside, the text must be JSON.
    fn value(&self, out: &mut Vec<u8>, scanner: &mut Scanner<'_>, kind: &Kind, inside: bool) -> Option<()> {
        let next = scanner.peek()?;
        if next == b'n' {
            (scanner.word()? == "null").then(|| out.extend_from_slice(b"null"))?;
            return Some(());
        }
        match kind {
            Kind::Json => {
                push_on_one_line(out, scanner.value()?);
                Some(())
            }
            Kind::Array(item) => {
                if next != b'[' {
                    return None;
                }
                out.push(b'[');
                let mut first = true;
                scanner.items(b']', |scanner| {
                    comma(out, &mut first);
                    self.value(out, scanner, item, inside)
                })?;
                out.push(b']');
                Some(())
            }
            Kind::Map(pair) => {
                if next != b'{' {
                    return None;
                }
                out.push(b'{');
                let mut first = true;
                scanner.items(b'}', |scanner| {
                    comma(out, &mut first);
                    let key = scanner.string()?;
                    self.key(out, &key, &pair.0)?;
                    scanner.take(b':')?;
                    out.push(b':');
                    self.value(out, scanner, &pair.1, inside)
                })?;
                out.push(b'}');
                Some(())
            }
            Kind::Struct(fields) => self.fields(out, scanner, fields),
            Kind::Null => None,
            Kind::String | Kind::Interval => {
                push_text(out, &scanner.string()?);
                Some(())
            }
            scalar => {
                if next == b'"' {
                    let text = scanner.string()?;
                    self.scalar(out, scalar, &text)
                } else {
                    let word = scanner.word()?;
                    if inside && !is_json_word(word) {
                        return None;
                    }
                    self.scalar(out, scalar, word)
                }
            }
        }
    }

    /// In the order of the type; a field that is not there is NULL, since writers of JSON leave NULLs out.
    fn fields(&self, out: &mut Vec<u8>, scanner: &mut Scanner<'_>, fields: &[(String, Kind)]) -> Option<()> {
        if scanner.peek()? != b'{' {
            return None;
        }
        if !self.shuffled.get() {
            let (start, begin) = (out.len(), scanner.at);
            let written = self.fields_in_order(out, scanner, fields);
            if written.is_some() || !self.shuffled.get() {
                return written;
            }
            out.truncate(start);
            scanner.at = begin;
        }
        let mut found = vec![None; fields.len()];
        scanner.items(b'}', |scanner| {
            let key = scanner.string()?;
            scanner.take(b':')?;
            let at = fields.iter().position(|(name, _)| *name == key)?;
            let value = scanner.value()?;
            found[at].replace(value).is_none().then_some(())
        })?;
        out.push(b'{');
        let mut first = true;
        for ((name, kind), value) in fields.iter().zip(found) {
            comma(out, &mut first);
            push_string(out, name);
            out.push(b':');
            match value {
                Some(value) => self.value(out, &mut Scanner::new(value), kind, true)?,
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
        Some(())
    }

    /// Fields as they come, which is the order of the type as a rule; when it is not, that is noted.
    fn fields_in_order(&self, out: &mut Vec<u8>, scanner: &mut Scanner<'_>, fields: &[(String, Kind)]) -> Option<()> {
        let mut left = fields.iter();
        let mut open = b'{';
        scanner.items(b'}', |scanner| {
            if let Some((name, kind)) = left.as_slice().first()
                && let Some(key) = scanner.key(name)
            {
                left.next();
                out.push(std::mem::replace(&mut open, b','));
                out.extend_from_slice(key);
                return self.value(out, scanner, kind, true);
            }
            let key = scanner.string()?;
            scanner.take(b':')?;
            loop {
                let Some((name, kind)) = left.next() else {
                    self.shuffled.set(true);
                    return None;
                };
                out.push(std::mem::replace(&mut open, b','));
                if *name == key {
                    push_text(out, &key);
                    out.push(b':');
                    return self.value(out, scanner, kind, true);
                }
                push_string(out, name);
                out.extend_from_slice(b":null");
            }
        })?;
        for (name, _) in left {
            out.push(std::mem::replace(&mut open, b','));
            push_string(out, name);
            out.extend_from_slice(b":null");
        }
        if open == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Some(())
    }

    /// JSON's keys are strings: what would be none is put between quotes.
    fn key(&self, out: &mut Vec<u8>, text: &str, kind: &Kind) -> Option<()> {
        let mut written = Vec::new();
        match kind {
            Kind::String | Kind::Interval => {
                push_string(out, text);
                return Some(());
            }
            complex if complex.is_complex() => {
                let mut scanner = Scanner::new(text.as_bytes());
                self.value(&mut written, &mut scanner, complex, false)?;
                scanner.at_end().then_some(())?;
            }
            scalar => self.scalar(&mut written, scalar, text)?,
        }
        push_key(out, &written);
        Some(())
    }

    fn scalar(&self, out: &mut Vec<u8>, kind: &Kind, text: &str) -> Option<()> {
        Scalar::read(kind, text, self.binary)?.write_json(out, self.options);
        Some(())
    }
}

/// A key that has been written as a value.
pub(super) fn push_key(out: &mut Vec<u8>, written: &[u8]) {
    if written.first() == Some(&b'"') {
        out.extend_from_slice(written);
    } else {
        push_string(out, &String::from_utf8_lossy(written));
    }
}

/// What was borrowed had no escape and needs none.
fn push_text(out: &mut Vec<u8>, text: &Cow<'_, str>) {
    match text {
        Cow::Borrowed(text) => push_clean_string(out, text),
        Cow::Owned(text) => push_string(out, text),
    }
}

fn comma(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

/// Line breaks in sound JSON are white space only; NDJSON and logs want none.
fn push_on_one_line(out: &mut Vec<u8>, json: &[u8]) {
    let start = out.len();
    out.extend_from_slice(json);
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}
