//! `/api/jobs`: Databricks jobs and their runs.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn start_job_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.start_job_run(&hit.call, hit.part(0), hit.body.clone()).await
}

pub(crate) async fn get_job_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_job_run(&hit.call, hit.part(0)).await
}
