//! Sequence numbers of pushes.
//!
//! Known: the header `X-PowerBI-PushData-SequenceNumber` of a push, and `GET …/tables/{table}/sequenceNumbers`, "to
//! guarantee which rows have been successfully pushed and avoiding duplication" ("New features for the Power BI Dataset
//! API", Power BI blog); that the answer is a list of `clientId` and `sequenceNumber`, empty before the first push, and
//! that the next push takes the number after (two clients in public code). They are missing from Microsoft's contract,
//! so a stand-in can be without them: then the header is ignored, and there is no such list.
//!
//! Assumed: a client is the application of the token; a number counts for one table; one that is not above the last is
//! acknowledged and adds nothing; gaps are fine; clearing the rows or changing the columns leaves the numbers.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::Service;
use super::admission::{At, no_path};
use super::model::Table;
use super::reply::{Reply, bad, context, ok};

const HEADER: &str = "x-powerbi-pushdata-sequencenumber";

pub(super) fn given(headers: &HeaderMap) -> Result<Option<i64>, Response> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok()).filter(|number| *number >= 0);
    number.map(Some).ok_or_else(|| bad("The sequence number is not valid."))
}

impl Table {
    /// Whether this number is new, which it then is no more.
    pub(super) fn takes_number(&mut self, client: &str, number: i64) -> bool {
        let last = self.sequence_numbers.get(client);
        if last.is_some_and(|last| number <= *last) {
            return false;
        }
        self.sequence_numbers.insert(client.to_owned(), number);
        true
    }
}

pub(super) async fn list(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    if !model.sequence_numbers {
        return Err(no_path());
    }
    let numbers = &model.table(&at)?.sequence_numbers;
    let value: Vec<Value> =
        numbers.iter().map(|(client, number)| json!({"clientId": client, "sequenceNumber": number})).collect();
    Ok(ok(&json!({"@odata.context": context(&headers, "sequenceNumbers"), "value": value})))
}
