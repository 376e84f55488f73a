//! A body of rows, cut into its rows as it arrives: `{…, "rows": [{…}, …], …}`, a bare array of rows, or one row a line.
//! Looks only for where things end; whether a row is JSON its reader finds.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::failure::{Code, Failure};

/// The longest row or other member as it is written. A row of the longest rendering fits also with every letter escaped.
const LONGEST: usize = 8 << 20;

/// A piece of the body that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A member beside `rows`: its name, and its value as JSON.
    Member(String, Bytes),
    Row(Bytes),
}

/// What is expected next.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Start,
    /// The name of a member; `}` when `first`.
    Name {
        first: bool,
    },
    Colon(String),
    Value(String),
    AfterValue,
    /// A row; `]` when `first`. `within` an object, or in a bare array.
    Row {
        first: bool,
        within: bool,
    },
    AfterRow {
        within: bool,
    },
    Line,
    End,
}

/// How far a value has been looked at.
#[derive(Debug, Default)]
struct Scan {
    seen: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    scalar: bool,
}

/// Cuts a body. [`Splitter::push`] what has arrived, then take parts until there is none.
#[derive(Debug)]
pub(crate) struct Splitter {
    state: State,
    buffer: BytesMut,
    scan: Scan,
    /// Bytes before the buffer.
    passed: u64,
    /// A byte order mark has been looked for.
    begun: bool,
    ended: bool,
    has_rows: bool,
}

impl Splitter {
    /// `lines`: one row a line (NDJSON).
    pub(crate) fn new(lines: bool) -> Self {
        let state = if lines { State::Line } else { State::Start };
        Self {
            state,
            buffer: BytesMut::new(),
            scan: Scan::default(),
            passed: 0,
            begun: false,
            ended: false,
            has_rows: lines,
        }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The next whole part; `None` when more must arrive, and after the end when the body was whole.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, Failure> {
        if !self.begun {
            if !self.ended && self.buffer.len() < BOM.len() && BOM.starts_with(&self.buffer) {
                return Ok(None);
            }
            self.begun = true;
            if self.buffer.starts_with(BOM) {
                self.pass(BOM.len());
            }
        }
        if self.state == State::Line {
            return self.line();
        }
        loop {
            self.skip_blanks();
            let Some(first) = self.buffer.first().copied() else {
                return if self.ended && self.state != State::End { Err(self.cut()) } else { Ok(None) };
            };
            match (&self.state, first) {
                (State::Start, b'{') => self.step(State::Name { first: true }),
                (State::Start, b'[') => {
                    self.has_rows = true;
                    self.step(State::Row { first: true, within: false });
                }
                (State::Name { first: true } | State::AfterValue, b'}') => self.step(State::End),
                (State::Name { .. }, b'"') => {
                    let Some(name) = self.value()? else { return Ok(None) };
                    let name = serde_json::from_slice(&name).map_err(|_| self.malformed("a member's name"))?;
                    self.state = State::Colon(name);
                }
                (State::Colon(_), b':') => {
                    let State::Colon(name) = std::mem::replace(&mut self.state, State::End) else { continue };
                    self.step(State::Value(name));
                }
                (State::Value(name), b'[') if name == "rows" => {
                    if self.has_rows {
                        return Err(Failure::new(Code::BodyInvalid, "`rows` stands in the body twice.").at("rows"));
                    }
                    self.has_rows = true;
                    self.step(State::Row { first: true, within: true });
                }
                (State::Value(name), _) => {
                    let name = name.clone();
                    let Some(value) = self.value()? else { return Ok(None) };
                    self.state = State::AfterValue;
                    return Ok(Some(Part::Member(name, value)));
                }
                (State::AfterValue, b',') => self.step(State::Name { first: false }),
                (State::Row { first: true, within } | State::AfterRow { within }, b']') => {
                    let next = if *within { State::AfterValue } else { State::End };
                    self.step(next);
                }
                (State::AfterRow { within }, b',') => {
                    let within = *within;
                    self.step(State::Row { first: false, within });
                }
                (State::Row { within, .. }, _) => {
                    let within = *within;
                    let Some(row) = self.value()? else { return Ok(None) };
                    self.state = State::AfterRow { within };
                    return Ok(Some(Part::Row(row)));
                }
                _ => return Err(self.malformed(&format!("{:?}", char::from(first)))),
            }
        }
    }

    /// Whether there were rows at all, be it none of them.
    pub(crate) fn has_rows(&self) -> bool {
        self.has_rows
    }

    fn line(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            let from = self.scan.seen;
            let end = self.buffer[from..].iter().position(|byte| *byte == b'\n').map(|at| from + at);
            let line = match end {
                Some(end) => self.take(end + 1),
                None if self.ended && !self.buffer.is_empty() => self.take(self.buffer.len()),
                None => {
                    self.scan.seen = self.buffer.len();
                    return if self.buffer.len() > LONGEST { Err(too_long()) } else { Ok(None) };
                }
            };
            let trimmed = line.trim_ascii();
            if !trimmed.is_empty() {
                return Ok(Some(Part::Row(line.slice_ref(trimmed))));
            }
        }
    }

    /// The value that the buffer begins with, once it is whole.
    fn value(&mut self) -> Result<Option<Bytes>, Failure> {
        let Scan { seen, depth, in_string, escaped, scalar } = &mut self.scan;
        let mut end = None;
        for byte in &self.buffer[*seen..] {
            let byte = *byte;
            if *in_string {
                match byte {
                    _ if *escaped => *escaped = false,
                    b'\\' => *escaped = true,
                    b'"' => *in_string = false,
                    _ => {}
                }
                *seen += 1;
                if !*in_string && *depth == 0 {
                    end = Some(*seen);
                    break;
                }
                continue;
            }
            match byte {
                b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n' if *scalar => {
                    end = Some(*seen);
                    break;
                }
                _ if *scalar => {}
                b',' | b':' | b']' | b'}' if *depth == 0 => {
                    end = Some(0);
                    break;
                }
                b'"' => *in_string = true,
                b'{' | b'[' => *depth += 1,
                b'}' | b']' => *depth -= 1,
                _ if *depth == 0 => *scalar = true,
                _ => {}
            }
            *seen += 1;
            if *depth == 0 && !*scalar && !*in_string {
                end = Some(*seen);
                break;
            }
        }
        match end {
            Some(0) => Err(self.malformed("a value that is missing")),
            Some(end) => Ok(Some(self.take(end))),
            None if self.ended => Err(self.cut()),
            None if self.buffer.len() > LONGEST => Err(too_long()),
            None => Ok(None),
        }
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.scan = Scan::default();
        self.passed += length as u64;
        self.buffer.split_to(length).freeze()
    }

    fn step(&mut self, next: State) {
        self.pass(1);
        self.state = next;
    }

    fn skip_blanks(&mut self) {
        if self.scan.seen > 0 {
            return;
        }
        self.pass(self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count());
    }

    fn pass(&mut self, length: usize) {
        self.buffer.advance(length);
        self.passed += length as u64;
    }

    fn malformed(&self, found: &str) -> Failure {
        let wanted = match &self.state {
            State::Start => "an object with `rows`, or an array of rows",
            State::Name { .. } => "the name of a member",
            State::Colon(_) => "a colon",
            State::Value(_) => "a value",
            State::AfterValue => "a comma or the end of the object",
            State::Row { .. } | State::Line => "a row",
            State::AfterRow { .. } => "a comma or the end of the rows",
            State::End => "nothing more",
        };
        let at = self.passed + 1;
        Failure::new(
            Code::BodyMalformed,
            format!("The body is not JSON: {wanted} is expected at byte {at}, not {found}."),
        )
        .at(format!("byte {at}"))
    }

    fn cut(&self) -> Failure {
        let at = self.passed + self.buffer.len() as u64;
        Failure::new(Code::BodyMalformed, format!("The body is not JSON: it ends too soon, after {at} bytes."))
            .at(format!("byte {at}"))
    }
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

fn too_long() -> Failure {
    Failure::new(Code::BodyTooLarge, format!("A row or a member of the body is longer than {} MiB.", LONGEST >> 20))
}

#[cfg(test)]
mod tests;
