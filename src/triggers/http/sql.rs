//! `/api/sql`: statements on a warehouse.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::{Answer, BodyStream};

pub(crate) async fn submit_statement(hit: Hit<Work>) -> Result<Answer, Failure> {
    Box::pin(hit.work.requests.submit_statement(&hit.call, hit.body.clone())).await
}

pub(crate) async fn get_statement(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_statement(&hit.call, hit.part(0)).await
}

pub(crate) async fn get_rows(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.rows(&hit.call, hit.part(0)).await
}

pub(crate) async fn cancel_statement(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.cancel_statement(&hit.call, hit.part(0)).await
}

pub(crate) async fn write_rows(hit: Hit<Work>, body: BodyStream) -> Result<Answer, Failure> {
    let place = [hit.part(0), hit.part(1), hit.part(2)];
    // Large: it holds all that reading a body needs.
    Box::pin(hit.work.requests.write_rows(&hit.call, place, body)).await
}
