//! `/api/jobs`: Databricks jobs and their runs.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn list_jobs(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_jobs(&hit.call).await
}

pub(crate) async fn get_job(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_job(&hit.call, hit.part(0)).await
}

pub(crate) async fn list_job_runs(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_job_runs(&hit.call, hit.part(0)).await
}

pub(crate) async fn start_job_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.start_job_run(&hit.call, hit.part(0), hit.body.clone()).await
}

pub(crate) async fn get_job_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_job_run(&hit.call, hit.part(0)).await
}

pub(crate) async fn get_job_run_output(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_job_run_output(&hit.call, hit.part(0)).await
}

pub(crate) async fn cancel_job_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.cancel_job_run(&hit.call, hit.part(0)).await
}

pub(crate) async fn repair_job_run(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.repair_job_run(&hit.call, hit.part(0), hit.body.clone()).await
}
