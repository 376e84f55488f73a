//! The body of a refresh request: which of it makes a refresh enhanced, what is refused at once, and what is accepted
//! and fails later ("Enhanced refresh with the Power BI REST API"; swagger, `DatasetRefreshRequest`).

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::Table;
use super::refresh::{Enhanced, FailedRefresh, RefreshState};
use super::refreshes::invalid;

const TYPES: [&str; 6] = ["Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"];
const COMMIT_MODES: [&str; 2] = ["Transactional", "PartialBatch"];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Asked {
    notify_option: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    commit_mode: Option<String>,
    max_parallelism: Option<u32>,
    retry_count: Option<u32>,
    timeout: Option<String>,
    objects: Option<Vec<Object>>,
    apply_refresh_policy: Option<Value>,
    effective_date: Option<String>,
}

#[derive(Deserialize)]
struct Object {
    table: String,
    partition: Option<String>,
}

impl Asked {
    fn is_enhanced(&self) -> bool {
        self.kind.is_some()
            || self.commit_mode.is_some()
            || self.max_parallelism.is_some()
            || self.retry_count.is_some()
            || self.timeout.is_some()
            || self.objects.is_some()
            || self.apply_refresh_policy.is_some()
            || self.effective_date.is_some()
    }
}

/// What was asked for, if any field but `notifyOption` is there.
pub(super) fn enhanced(asked: &Asked, shared: bool) -> Result<Option<Enhanced>, Response> {
    if let Some(option) = &asked.notify_option {
        if !["NoNotification", "MailOnFailure", "MailOnCompletion"].contains(&option.as_str()) {
            return Err(invalid(&format!("The notifyOption '{option}' is not valid.")));
        }
        // "Not applicable to … API operations with a service principal"; only such tokens exist here.
        if option != "NoNotification" {
            return Err(invalid(&format!("Invalid NotifyOption value '{option}' for app only owner requests")));
        }
    }
    if !asked.is_enhanced() {
        return Ok(None);
    }
    if shared {
        // The service's wording is not recorded anywhere public: these are the swagger's words for the limit.
        return Err(invalid(
            "Enhanced refresh is not supported for shared capacities. For Shared capacities, only notifyOption can be specified in the request body. A Premium, Premium Per User or Embedded capacity is required.",
        ));
    }
    if asked.notify_option.is_some() {
        return Err(invalid("notifyOption must be excluded from the request body of an enhanced refresh."));
    }
    if let Some(timeout) = &asked.timeout
        && !is_time_span(timeout)
    {
        return Err(invalid(&format!("The timeout '{timeout}' is not of the form hh:mm:ss, up to 24 hours.")));
    }
    Ok(Some(Enhanced {
        kind: one_of(asked.kind.as_deref(), &TYPES, "Automatic", "type")?,
        commit_mode: one_of(asked.commit_mode.as_deref(), &COMMIT_MODES, "Transactional", "commitMode")?,
        objects: asked
            .objects
            .iter()
            .flatten()
            .map(|object| (object.table.clone(), object.partition.clone()))
            .collect(),
    }))
}

fn one_of(given: Option<&str>, known: &[&str], default: &str, field: &str) -> Result<String, Response> {
    let Some(given) = given else { return Ok(default.into()) };
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(given));
    found.map(|known| (*known).to_owned()).ok_or_else(|| invalid(&format!("The {field} '{given}' is not valid.")))
}

/// Accepted, and bound to fail: what the service finds out only while it works.
pub(super) fn doomed(enhanced: &Enhanced, asked: &Asked, tables: &[Table]) -> Option<FailedRefresh> {
    let failed = |description: String| FailedRefresh {
        state: RefreshState::Failed,
        code: "ModelRefresh_ShortMessage_ProcessingError".into(),
        description,
    };
    let policy = match &asked.apply_refresh_policy {
        Some(Value::Bool(policy)) => *policy,
        Some(Value::String(policy)) => !policy.eq_ignore_ascii_case("false"),
        _ => true,
    };
    if enhanced.commit_mode == "PartialBatch" && policy {
        return Some(failed("RefreshApiRequest for table refresh using refresh policy must have the property 'CommitMode' = 'Transactional' instead of 'PartialBatch'.".into()));
    }
    let unknown = enhanced.objects.iter().find(|(name, _)| !tables.iter().any(|table| table.name == *name));
    unknown.map(|(name, _)| failed(format!("Table '{name}' does not exist in the model.")))
}

fn is_time_span(text: &str) -> bool {
    let parts: Option<Vec<u32>> = text.split(':').map(|part| part.parse().ok()).collect();
    matches!(parts.as_deref(), Some([hours, minutes, seconds])
        if *minutes < 60 && *seconds < 60 && hours * 3600 + minutes * 60 + seconds <= 86_400)
}
