//! `/api/power-bi-raw`: any call of Power BI.

use super::super::{Hit, Work};
use crate::failure::Failure;
use crate::requests::Answer;

pub(crate) async fn raw_power_bi(hit: Hit<Work>) -> Result<Answer, Failure> {
    hit.work.requests.raw_power_bi(&hit.call, hit.body.clone()).await
}
