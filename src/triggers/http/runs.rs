//! `/api/runs`: runs and their steps, and what people may do to one.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn get_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_run(&hit.call, hit.part(0)).await
}

pub(crate) async fn list_runs(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_runs(&hit.call).await
}

pub(crate) async fn cancel_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.cancel_run(&hit.call, hit.part(0)).await
}

pub(crate) async fn retry_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.retry_run(&hit.call, hit.part(0)).await
}

pub(crate) async fn resolve_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.resolve_run(&hit.call, hit.part(0), hit.body.clone()).await
}
