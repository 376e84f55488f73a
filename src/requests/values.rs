//! How a call wants its rows, from the query: `format`, `shape`, `decimals`, `bigints`, `pageSize`.

use serde::{Deserialize, Serialize};

use super::Call;
use crate::failure::{Code, Failure};
use crate::rows::{Format, Output, Shape, ValueOptions};

/// Most rows of a page.
pub(super) const MOST_ROWS: usize = 10_000;

/// The choices, small enough to travel in a status token. What a token of an older version does not say is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Values {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<bool>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    b: bool,
    /// The whole result as a stream; `None` is pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<Format>,
    /// Rows as arrays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    a: bool,
    /// Rows of a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<u16>,
    /// Pages are a list: rows stand in `value`, where Power Automate's pagination collects them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    l: bool,
}

impl Values {
    /// Of a call that answers a page unless it names a format.
    pub(super) fn of(call: &Call) -> Result<Self, Failure> {
        let decimals = match call.query("decimals") {
            None | Some("auto") => None,
            Some("number") => Some(true),
            Some("string") => Some(false),
            Some(_) => return Err(wrong("decimals", "auto, number or string")),
        };
        let bigints = match call.query("bigints") {
            None | Some("number") => false,
            Some("string") => true,
            Some(_) => return Err(wrong("bigints", "number or string")),
        };
        let format = match call.query("format") {
            None => None,
            Some("json") => Some(Format::Json),
            Some("ndjson") => Some(Format::Ndjson),
            Some("csv") => Some(Format::Csv),
            Some("arrow") => Some(Format::Arrow),
            Some(_) => return Err(wrong("format", "json, ndjson, csv or arrow")),
        };
        let arrays = match call.query("shape") {
            None | Some("objects") => false,
            Some("arrays") => true,
            Some(_) => return Err(wrong("shape", "objects or arrays")),
        };
        let page = call.query("pageSize").map(page_size).transpose()?;
        if page.is_some() && format.is_some_and(|format| format != Format::Json) {
            return Err(wrong("pageSize", "for JSON; leave it out to have the whole result in another format"));
        }
        let format = format.filter(|_| page.is_none());
        Ok(Self { d: decimals, b: bigints, f: format, a: arrays, p: page, l: false })
    }

    /// Of a call that answers the whole result unless it names a page's size.
    pub(super) fn of_rows(call: &Call) -> Result<Self, Failure> {
        let values = Self::of(call)?;
        Ok(match values.p {
            Some(_) => Self { l: true, ..values },
            None => Self { f: Some(values.f.unwrap_or_default()), ..values },
        })
    }

    pub(super) fn options(self) -> ValueOptions {
        ValueOptions { decimals_as_number: self.d, bigints_as_string: self.b }
    }

    pub(super) fn shape(self) -> Shape {
        if self.a { Shape::Arrays } else { Shape::Objects }
    }

    /// How the whole result is streamed; `None` when it comes in pages.
    pub(super) fn streamed(self) -> Option<Output> {
        self.f.map(|format| Output { format, shape: self.shape(), values: self.options() })
    }

    /// Rows of a page.
    pub(super) fn page_rows(self) -> usize {
        self.p.map_or(MOST_ROWS, usize::from)
    }

    /// Where the next page is of a result that only its caller may read: the call itself, and no token.
    pub(super) fn path_of_rows(self, id: &str, row: u64) -> String {
        let mut path = format!("/api/sql/statements/{id}/rows?runAs=caller&pageSize={}&row={row}", self.page_rows());
        if self.a {
            path.push_str("&shape=arrays");
        }
        if let Some(number) = self.d {
            path.push_str(if number { "&decimals=number" } else { "&decimals=string" });
        }
        if self.b {
            path.push_str("&bigints=string");
        }
        path
    }

    /// The member of a page that holds its rows.
    pub(super) fn rows_name(self) -> &'static str {
        if self.l { "value" } else { "rows" }
    }
}

fn page_size(text: &str) -> Result<u16, Failure> {
    // Digits only: `parse` alone would take `+5`.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(rows) if digits && (1..=MOST_ROWS).contains(&usize::from(rows)) => Ok(rows),
        _ => Err(wrong("pageSize", "a whole number from 1 to 10000")),
    }
}

fn wrong(name: &str, right: &str) -> Failure {
    Failure::new(Code::QueryInvalid, format!("`{name}` is {right}.")).at(format!("query.{name}"))
}
