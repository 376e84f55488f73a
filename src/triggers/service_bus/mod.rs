//! Messages: the request queue, a topic's subscription, the work queue, and the dead letters of all.

use std::sync::Arc;

use super::{Answering, Work};
use crate::http::Deadline;
use crate::runs::{DeadLetters, Received};

pub(super) fn request(work: Arc<Work>, message: Received, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.accept(message, deadline).await })
}

pub(super) fn request_from_topic(work: Arc<Work>, message: Received, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.accept_from_topic(message, deadline).await })
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

pub(super) fn dead_from_topic(work: Arc<Work>, message: Received, deadline: Deadline) -> Answering<()> {
    Box::pin(async move { work.runs.park_dead_letter(message, DeadLetters::Topic, deadline).await })
}
