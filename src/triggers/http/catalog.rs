//! `/api/sql`: warehouses, and what Unity Catalog knows of catalogs, schemas and tables.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn list_warehouses(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_warehouses(&hit.call).await
}

pub(crate) async fn list_catalogs(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_catalogs(&hit.call).await
}

pub(crate) async fn list_schemas(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_schemas(&hit.call, hit.part(0)).await
}

pub(crate) async fn list_tables(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_tables(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn get_table(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_table(&hit.call, hit.part(0), hit.part(1), hit.part(2)).await
}
