//! `/api/operations`: what is declared, and running it.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

#[allow(clippy::unused_async)] // the table of functions holds futures
pub(crate) async fn list_operations(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_operations(&hit.call)
}

#[allow(clippy::unused_async)] // the table of functions holds futures
pub(crate) async fn get_operation(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_operation(hit.part(0))
}

pub(crate) async fn run_operation(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.run_operation(&hit.call, hit.part(0), hit.body.clone()).await
}
