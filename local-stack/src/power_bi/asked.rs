//! The body of a refresh request: which of it makes a refresh enhanced, what is refused at once, and what is accepted
//! and fails later ("Enhanced refresh with the Power BI REST API"; swagger, `DatasetRefreshRequest`).

use std::time::Duration;

use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::Table;
use super::refresh::{Enhanced, FailedRefresh, RefreshState};
use super::refreshes::invalid;

const TYPES: [&str; 6] = ["Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"];
const COMMIT_MODES: [&str; 2] = ["Transactional", "PartialBatch"];
const DAY: u64 = 24 * 60 * 60;

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
pub(super) fn enhanced(asked: &Asked, shared: bool, application: bool) -> Result<Option<Enhanced>, Response> {
    if let Some(option) = &asked.notify_option {
        if !["NoNotification", "MailOnFailure", "MailOnCompletion"].contains(&option.as_str()) {
            return Err(invalid(&format!("The notifyOption '{option}' is not valid.")));
        }
        // "Not applicable to … API operations with a service principal".
        if application && option != "NoNotification" {
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
    if asked.max_parallelism == Some(0) {
        return Err(invalid("The maxParallelism '0' is not valid."));
    }
    let timeout = asked.timeout.as_deref().map(time_span).transpose()?;
    if !matches!(&asked.apply_refresh_policy, None | Some(Value::Bool(_) | Value::String(_))) {
        return Err(invalid("The applyRefreshPolicy is neither true nor false."));
    }
    if let Some(date) = &asked.effective_date
        && !is_date(date)
    {
        return Err(invalid(&format!("The effectiveDate '{date}' is not a date.")));
    }
    let objects = asked.objects.as_deref().unwrap_or_default();
    let empty = |name: &str| name.trim().is_empty();
    if objects.iter().any(|object| empty(&object.table) || object.partition.as_deref().is_some_and(empty)) {
        return Err(invalid("An object has no table, or a partition without a name."));
    }
    Ok(Some(Enhanced {
        kind: one_of(asked.kind.as_deref(), &TYPES, "Automatic", "type")?,
        commit_mode: one_of(asked.commit_mode.as_deref(), &COMMIT_MODES, "Transactional", "commitMode")?,
        retry_count: asked.retry_count.unwrap_or(0),
        timeout,
        objects: objects.iter().map(|object| (object.table.clone(), object.partition.clone())).collect(),
    }))
}

fn one_of(given: Option<&str>, known: &[&str], default: &str, field: &str) -> Result<String, Response> {
    let Some(given) = given else { return Ok(default.into()) };
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(given));
    found.map(|known| (*known).to_owned()).ok_or_else(|| invalid(&format!("The {field} '{given}' is not valid.")))
}

/// Accepted, and bound to fail: what the service finds out only while it works.
pub(super) fn doomed(enhanced: &Enhanced, asked: &Asked, tables: &[Table]) -> Option<FailedRefresh> {
    let failed = |description: &str| {
        FailedRefresh::new(RefreshState::Failed, "ModelRefresh_ShortMessage_ProcessingError", description)
    };
    let policy = match &asked.apply_refresh_policy {
        Some(Value::Bool(policy)) => *policy,
        Some(Value::String(policy)) => !policy.eq_ignore_ascii_case("false"),
        _ => true,
    };
    if enhanced.commit_mode == "PartialBatch" && policy {
        return Some(failed(
            "RefreshApiRequest for table refresh using refresh policy must have the property 'CommitMode' = 'Transactional' instead of 'PartialBatch'.",
        ));
    }
    let unknown = enhanced.objects.iter().find(|(name, _)| !tables.iter().any(|table| table.name == *name));
    unknown.map(|(name, _)| failed(&format!("Table '{name}' does not exist in the model.")))
}

/// `hh:mm:ss`, up to a day.
fn time_span(text: &str) -> Result<Duration, Response> {
    let parts: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
    let seconds = match parts.as_deref() {
        Some([hours, minutes @ ..60, seconds @ ..60]) => {
            hours.checked_mul(3_600).map(|hours| hours + minutes * 60 + seconds)
        }
        _ => None,
    };
    let seconds = seconds.filter(|seconds| (1..=DAY).contains(seconds));
    let why = || invalid(&format!("The timeout '{text}' is not of the form hh:mm:ss, up to 24 hours."));
    seconds.map(Duration::from_secs).ok_or_else(why)
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
        || text.parse::<jiff::civil::DateTime>().is_ok()
        || text.parse::<jiff::civil::Date>().is_ok()
}
