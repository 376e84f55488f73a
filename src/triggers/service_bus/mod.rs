//! Messages: the request queue, the work queue, and the dead letters of both.

use std::sync::Arc;

use super::{Answering, Work};
use crate::http::Deadline;
use crate::runs::{DeadLetters, Received};

pub(super) fn request(work: Arc<Work>, message: Received, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.accept(message, deadline).await })
}

pub(super) fn work(work: Arc<Work>, message: Received, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.work(message, deadline).await })
}

pub(super) fn dead_request(work: Arc<Work>, message: Received, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.park_dead_letter(message, DeadLetters::Requests, deadline).await })
}

pub(super) fn dead_work(work: Arc<Work>, message: Received, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.park_dead_letter(message, DeadLetters::Work, deadline).await })
}
