//! The clock: `tick` each minute, `rotate-pat` each hour. What is due is read from the ledger, never from the host's payload, whose
//! `ScheduleStatus` and `IsPastDue` know one process's past only.

use std::sync::Arc;

use super::{Answering, Work};
use crate::http::Deadline;

pub(super) fn tick(work: Arc<Work>, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.tick(deadline).await })
}

pub(super) fn rotate_pat(work: Arc<Work>, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.rotation.tick(deadline).await })
}
