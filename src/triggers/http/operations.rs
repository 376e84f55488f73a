//! `/api/operations`: what is declared, and running it.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn list_operations(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_operations(&hit.call).await
}

pub(crate) async fn get_operation(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_operation(&hit.call, hit.part(0)).await
}

pub(crate) async fn run_operation(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.run_operation(&hit.call, hit.part(0), hit.body.clone()).await
}
