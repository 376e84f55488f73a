//! `/api/power-bi`: lists, push datasets, queries.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn list_workspaces(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_workspaces(&hit.call).await
}

pub(crate) async fn list_datasets(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_datasets(&hit.call, hit.part(0)).await
}

pub(crate) async fn list_reports(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_reports(&hit.call, hit.part(0)).await
}

pub(crate) async fn list_dataflows(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_dataflows(&hit.call, hit.part(0)).await
}

pub(crate) async fn list_tables(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_dataset_tables(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn create_dataset(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.create_dataset(&hit.call, hit.part(0), hit.body.clone()).await
}

pub(crate) async fn get_dataset(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_dataset(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn delete_dataset(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.delete_dataset(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn query_dataset(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.query_dataset(&hit.call, hit.part(0), hit.part(1), hit.body.clone()).await
}

pub(crate) async fn put_table(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.put_table(&hit.call, hit.part(0), hit.part(1), hit.part(2), hit.body.clone()).await
}

pub(crate) async fn clear_rows(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.clear_rows(&hit.call, hit.part(0), hit.part(1), hit.part(2)).await
}
