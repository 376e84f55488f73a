//! `/api/power-bi`: refreshes of datasets and rows of push datasets.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::{Answer, BodyStream};

pub(crate) async fn start_refresh(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.start_refresh(&hit.call, hit.part(0), hit.part(1), hit.body.clone()).await
}

pub(crate) async fn list_refreshes(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.list_refreshes(&hit.call, hit.part(0), hit.part(1)).await
}

pub(crate) async fn get_refresh(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_refresh(&hit.call, hit.part(0), hit.part(1), hit.part(2)).await
}

pub(crate) async fn cancel_refresh(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.cancel_refresh(&hit.call, hit.part(0), hit.part(1), hit.part(2)).await
}

pub(crate) async fn push_rows(hit: Hit<Work>, body: BodyStream) -> Result<Answer, Failure> {
    let place = [hit.part(0), hit.part(1), hit.part(2)];
    // Large: it holds all that reading a body needs.
    Box::pin(hit.work.requests.push_rows(&hit.call, place, body)).await
}
