//! The rows of `data_array`, `[["1",null],…]`, read one after the other from its text. What cells mean is not here.

use std::borrow::Cow;

use bytes::Bytes;

use super::json_text::Scanner;
use crate::failure::{Code, Failure};

/// The rows that have not been read yet.
#[derive(Debug)]
pub(super) struct JsonRows {
    text: Bytes,
    at: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first bracket.
    Start,
    /// Behind a row, or behind the first bracket.
    Rows {
        first: bool,
    },
    End,
}

impl JsonRows {
    /// Rows are read as they are asked for; that the text begins as it should is checked at once.
    pub(super) fn new(text: Bytes) -> Result<Self, Failure> {
        let mut rows = Self { text, at: 0, place: Place::Start };
        rows.more()?;
        Ok(rows)
    }

    /// How much of the text has been read.
    pub(super) fn read(&self) -> usize {
        self.at
    }

    /// Whether a row follows; the place is before it then.
    fn more(&mut self) -> Result<bool, Failure> {
        let mut scanner = Scanner { bytes: &self.text, at: self.at };
        let found = match self.place {
            Place::Start => scanner.take(b'[').map(|()| if scanner.peek() == Some(b'[') { Ok(true) } else { Err(()) }),
            Place::Rows { first: true } => Some(Ok(true)),
            Place::Rows { first: false } if scanner.peek() == Some(b',') => {
                scanner.at += 1;
                (scanner.peek() == Some(b'[')).then_some(Ok(true))
            }
            Place::Rows { first: false } => Some(Err(())),
            Place::End => return Ok(false),
        };
        match found {
            Some(Ok(_)) => {
                self.place = Place::Rows { first: true };
                self.at = scanner.at;
                Ok(true)
            }
            Some(Err(())) if scanner.take(b']').is_some() && scanner.at_end() => {
                self.place = Place::End;
                self.at = self.text.len();
                Ok(false)
            }
            _ => Err(malformed(scanner.at)),
        }
    }

    /// The next row, cell by cell; how many cells it had, `None` after the last row.
    pub(super) fn row(
        &mut self,
        mut each: impl FnMut(usize, Option<Cow<'_, str>>) -> Result<(), Failure>,
    ) -> Result<Option<usize>, Failure> {
        if !self.more()? {
            return Ok(None);
        }
        let mut scanner = Scanner { bytes: &self.text, at: self.at };
        let mut cells = 0;
        let mut failure = None;
        let sound = scanner.items(b']', |scanner| {
            let cell = match scanner.peek()? {
                b'"' => Some(scanner.string()?),
                _ => match scanner.word()? {
                    "null" => None,
                    // Cells are strings (Databricks SDK, execute_statement); a bare number or boolean says the same.
                    word @ ("true" | "false") => Some(Cow::Borrowed(word)),
                    word => super::number::is_json_number(word).then_some(Some(Cow::Borrowed(word)))?,
                },
            };
            cells += 1;
            each(cells - 1, cell).map_err(|error| failure = Some(error)).ok()
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        if sound.is_none() {
            return Err(malformed(scanner.at));
        }
        self.at = scanner.at;
        self.place = Place::Rows { first: false };
        Ok(Some(cells))
    }
}

fn malformed(at: usize) -> Failure {
    Failure::new(Code::UpstreamReplyInvalid, "Databricks sent a chunk that cannot be read.")
        .caused_by(format!("data_array makes no sense at byte {at}"))
}
