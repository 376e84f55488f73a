//! `/api/health`: alive without touching anything; ready when the neighbours can be reached.

use serde_json::json;

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) fn alive() -> Answer {
    Answer::done(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }).to_string().into_bytes())
}

pub(crate) async fn ready(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.ready(&hit.call).await
}
