//! Event Grid: one function for every subscription, in whichever schema it delivers.

use std::sync::Arc;

use bytes::Bytes;

use super::{Answering, Work};
use crate::http::Deadline;

pub(super) fn event(work: Arc<Work>, event: Bytes, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.accept_event(event, deadline).await })
}
