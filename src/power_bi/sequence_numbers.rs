//! Sequence numbers of pushes, where the service keeps them.

use serde::Deserialize;
use serde_json::Value;

use super::{Place, PowerBi, PowerBiError, Subject};
use crate::http::{Deadline, Outbound, RequestKind};

#[derive(Deserialize)]
struct NumbersBody {
    value: Vec<Value>,
}

impl PowerBi {
    /// The number of the last push that had one, for each application that pushes; `None` where the service keeps none.
    ///
    /// Not in the service's contract: known from "New features for the Power BI Dataset API" (Power BI blog, 2015) and from
    /// public clients, which read `value[0].sequenceNumber` and send the next in a header.
    pub async fn sequence_numbers(
        &self,
        workspace: &str,
        dataset: &str,
        table: &str,
        deadline: Deadline,
    ) -> Result<Option<Vec<i64>>, PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let url = self.address_in(&place, &["tables", table, "sequenceNumbers"])?;
        let subject = Subject::Rows { place, table: table.to_owned() };
        let reply = match self.call(RequestKind::PushTableGet, Outbound::get(url), &subject, deadline).await {
            Ok(reply) => reply,
            Err(PowerBiError::Refused(refused)) if matches!(refused.status, 400 | 404 | 405 | 501) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(body) = serde_json::from_slice::<NumbersBody>(&reply.body) else { return Ok(None) };
        let number = |value: &Value| value.as_i64().or_else(|| value.get("sequenceNumber")?.as_i64());
        Ok(body.value.iter().map(number).collect())
    }
}
