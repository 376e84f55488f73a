//! The tests of the ledger; what they need is here.

mod budget;
mod conformance;
mod faults;
mod slots;
mod store;

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::http::Deadline;

/// An entry of `writer`.
fn entry(writer: &str) -> Bytes {
    json!({"writer": writer, "text": "what was done"}).to_string().into()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_mins(1))
}
