//! `/api/power-bi`: reports exported to files.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn start_export(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.start_export(&hit.call, hit.part(0), hit.part(1), hit.body.clone()).await
}

pub(crate) async fn get_export(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.get_export(&hit.call, hit.part(0), hit.part(1), hit.part(2)).await
}

pub(crate) async fn export_file(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.export_file(&hit.call, hit.part(0), hit.part(1), hit.part(2)).await
}
