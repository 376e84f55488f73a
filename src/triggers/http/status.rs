//! `/api/status`: where every `Location` points. The signed token is the only key.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn status(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.status(&hit.call, hit.part(0)).await
}

pub(crate) async fn unsubscribe(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.unsubscribe(&hit.call, hit.part(0)).await
}
