//! `/api/power-bi`: parameters, owner and schedule of datasets, refreshes of dataflows.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn list_parameters(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_parameters(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn put_parameters(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.put_parameters(&hit.call, hit.part(0), hit.part(1), hit.body.clone()).await
}

pub(crate) async fn take_over(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.take_over_dataset(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn get_schedule(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_refresh_schedule(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn put_schedule(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.put_refresh_schedule(&hit.call, hit.part(0), hit.part(1), hit.body.clone()).await
}

pub(crate) async fn refresh_dataflow(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.refresh_dataflow(&hit.call, hit.part(0), hit.part(1), hit.body.clone()).await
}

pub(crate) async fn list_dataflow_refreshes(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_dataflow_refreshes(&hit.call, hit.part(0), hit.part(1)).await
}
