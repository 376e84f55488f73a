//! `/api/runs`: one run with its steps.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn get_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_run(&hit.call, hit.part(0)).await
}
