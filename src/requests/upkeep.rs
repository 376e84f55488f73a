//! What is looked after in Power BI: parameters of datasets, their owner and schedule, refreshes of dataflows.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::answers::done;
use super::claim::{Claimant, Claimed};
use super::{Answer, Call, Requests};
use crate::failure::{Code, Failure};
use crate::power_bi::{NewValue, RefreshSchedule};
use crate::steps::Recovery;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParametersBody {
    /// As they stand in the body: a number keeps its digits.
    parameters: BTreeMap<String, Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DataflowBody {
    /// `default` or `full`.
    #[serde(default)]
    process: Process,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Process {
    #[default]
    Default,
    Full,
}

impl Requests {
    /// `GET …/datasets/{d}/parameters`.
    pub async fn list_parameters(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        let parameters = self.0.neighbours.power_bi.parameters(w, d, call.deadline).await?;
        Ok(done(&json!({"value": super::to_value(&parameters)?})))
    }

    /// `PUT …/datasets/{d}/parameters`: those that are named; they count from the next refresh on.
    pub async fn put_parameters(&self, call: &Call, w: &str, d: &str, body: Bytes) -> Result<Answer, Failure> {
        let body: ParametersBody = super::body::read(&body)?;
        let values = body.parameters.into_iter().map(|(name, value)| new_value(name, value.get()));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        self.0.neighbours.power_bi.update_parameters(w, d, &values, call.deadline).await?;
        Ok(done(&json!({"updated": values.iter().map(|value| &value.name).collect::<Vec<_>>()})))
    }

    /// `POST …/datasets/{d}/take-over`.
    pub async fn take_over_dataset(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        self.0.neighbours.power_bi.take_over(w, d, call.deadline).await?;
        Ok(done(&json!({})))
    }

    /// `GET …/datasets/{d}/refresh-schedule`.
    pub async fn get_refresh_schedule(&self, call: &Call, w: &str, d: &str) -> Result<Answer, Failure> {
        let schedule = self.0.neighbours.power_bi.refresh_schedule(w, d, call.deadline).await?;
        Ok(done(&super::to_value(&schedule)?))
    }

    /// `PUT …/datasets/{d}/refresh-schedule`: what is named; the rest stays.
    pub async fn put_refresh_schedule(&self, call: &Call, w: &str, d: &str, body: Bytes) -> Result<Answer, Failure> {
        let mut schedule: RefreshSchedule = super::body::read(&body)?;
        schedule.check()?;
        self.0.neighbours.power_bi.update_refresh_schedule(w, d, &schedule, call.deadline).await?;
        Ok(done(&super::to_value(&schedule)?))
    }

    /// `POST …/dataflows/{f}/refreshes`. Accepted: its id is known when it shows in the list.
    pub async fn refresh_dataflow(&self, call: &Call, w: &str, f: &str, body: Bytes) -> Result<Answer, Failure> {
        let target = format!("{w}/{f}");
        let claimant =
            Claimant { call, route: "dataflows", target: &target, body: &body, recovery: |_| Recovery::Unknown };
        let inputs =
            super::body::inputs(&body, |body: DataflowBody| Ok(json!({"full": body.process == Process::Full})))?;
        let effected = match self.claim(&claimant, inputs).await? {
            Claimed::Before(effected) => effected,
            Claimed::Ours(ours) => {
                let full = ours.inputs["full"] == true;
                let sent = self.0.neighbours.power_bi.refresh_dataflow(w, f, full, ours.window).await;
                let sent = sent.map(|()| json!({"state": "accepted"})).map_err(Failure::from);
                self.had(ours, call, sent).await?
            }
        };
        Ok(Answer { replayed: effected.replayed, ..done(&effected.upstream) })
    }

    /// `GET …/dataflows/{f}/refreshes`.
    pub async fn list_dataflow_refreshes(&self, call: &Call, w: &str, f: &str) -> Result<Answer, Failure> {
        let refreshes = self.0.neighbours.power_bi.dataflow_refreshes(w, f, call.deadline).await?;
        Ok(done(&json!({"value": super::to_value(&refreshes)?})))
    }
}

/// A value as the service takes it: as text.
fn new_value(name: String, text: &str) -> Result<NewValue, Failure> {
    let new_value = match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).unwrap_or_default(),
        // As Power Query writes them.
        Some(b't') => "TRUE".to_owned(),
        Some(b'f') => "FALSE".to_owned(),
        Some(b'{' | b'[' | b'n') | None => {
            let detail = format!("The parameter `{name}` takes a text, a number or a boolean.");
            return Err(Failure::new(Code::BodyInvalid, detail).at(format!("parameters.{name}")));
        }
        _ => text.to_owned(),
    };
    Ok(NewValue { name, new_value })
}
