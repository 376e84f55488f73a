//! What a refresh is asked for over HTTP.

use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::power_bi::{RefreshObject, RefreshRequest};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    tables: Vec<String>,
    #[serde(default)]
    partitions: Vec<RefreshObject>,
    commit_mode: Option<String>,
    max_parallelism: Option<u32>,
    retry_count: Option<u32>,
    timeout: Option<String>,
    apply_refresh_policy: Option<bool>,
    effective_date: Option<String>,
    pub(super) callback_url: Option<Value>,
}

impl Body {
    /// Checked, before anything is sent or queued.
    pub(super) fn request(self) -> Result<RefreshRequest, Failure> {
        if let Some(at) = self.partitions.iter().position(|object| object.partition.is_none()) {
            let detail = "An entry of `partitions` names a table and a partition; whole tables go into `tables`.";
            return Err(Failure::new(Code::BodyInvalid, detail).at(format!("partitions[{at}]")));
        }
        let tables = self.tables.into_iter().map(|table| RefreshObject { table, partition: None });
        let request = RefreshRequest {
            kind: self.kind,
            commit_mode: self.commit_mode,
            max_parallelism: self.max_parallelism,
            retry_count: self.retry_count,
            timeout: self.timeout,
            apply_refresh_policy: self.apply_refresh_policy,
            effective_date: self.effective_date,
            objects: tables.chain(self.partitions).collect(),
        };
        request.check()?;
        Ok(request)
    }
}
