//! What a refresh is asked for, checked before it is sent: Power BI finds much of it out only while it works, hours
//! later and in words of its own ("Enhanced refresh with the Power BI REST API").

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Serialize;

use super::refreshes::{RefreshObject, RefreshRequest};
use crate::failure::{Code, Failure};

/// Spelled as in Microsoft's swagger; the docs write them with a small letter.
const TYPES: [&str; 6] = ["Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"];
const PARTIAL_BATCH: &str = "PartialBatch";
const COMMIT_MODES: [&str; 2] = ["Transactional", PARTIAL_BATCH];
const DAY_SECONDS: u32 = 24 * 60 * 60;

/// The body as the API takes it. Without any field it is a standard refresh. `notifyOption` is never there: it must be
/// left out of an enhanced refresh, and does not apply to service principals.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshBody<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_parallelism: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    apply_refresh_policy: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_date: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    objects: &'a [RefreshObject],
}

impl<'a> RefreshBody<'a> {
    pub(super) fn of(request: &'a RefreshRequest) -> Result<Self, Failure> {
        let kind = one_of(request.kind.as_deref(), &TYPES, "type")?;
        let commit_mode = one_of(request.commit_mode.as_deref(), &COMMIT_MODES, "commitMode")?;
        if commit_mode == Some(PARTIAL_BATCH) && request.apply_refresh_policy != Some(false) {
            return Err(invalid(
                "applyRefreshPolicy",
                "`commitMode` partialBatch does not go with a refresh policy: set `applyRefreshPolicy` to false (it is \
                 true unless it is set).",
            ));
        }
        if request.max_parallelism == Some(0) {
            return Err(invalid("maxParallelism", "`maxParallelism` is at least 1."));
        }
        if let Some(timeout) = &request.timeout {
            let Some(seconds) = time_span(timeout) else {
                let detail = format!(
                    "`timeout` is a time for one attempt such as 02:30:00 (hh:mm:ss), at most 24:00:00; `{timeout}` is \
                     not."
                );
                return Err(invalid("timeout", detail));
            };
            // "The total refresh duration, including retries, can't exceed 24 hours."
            let attempts = request.retry_count.unwrap_or(0).saturating_add(1);
            if seconds.saturating_mul(attempts) > DAY_SECONDS {
                let detail = format!(
                    "{attempts} attempts of {timeout} are more than the 24 hours that a refresh has in all, retries \
                     included: lower `retryCount` or `timeout`."
                );
                return Err(invalid("retryCount", detail));
            }
        }
        if let Some(date) = &request.effective_date {
            if request.apply_refresh_policy == Some(false) {
                return Err(invalid(
                    "effectiveDate",
                    "`effectiveDate` stands for today in the refresh policy, so it needs `applyRefreshPolicy` true (as \
                     it is unless it is set).",
                ));
            }
            if !is_date(date) {
                let detail = format!("`effectiveDate` is a date such as 2026-10-31, or a moment; `{date}` is neither.");
                return Err(invalid("effectiveDate", detail));
            }
        }
        let nameless = |object: &RefreshObject| {
            object.table.trim().is_empty()
                || object.partition.as_ref().is_some_and(|partition| partition.trim().is_empty())
        };
        if request.objects.iter().any(nameless) {
            return Err(invalid("objects", "A table or partition to refresh has no name."));
        }
        Ok(Self {
            kind,
            commit_mode,
            max_parallelism: request.max_parallelism,
            retry_count: request.retry_count,
            timeout: request.timeout.as_deref(),
            apply_refresh_policy: request.apply_refresh_policy,
            effective_date: request.effective_date.as_deref(),
            objects: &request.objects,
        })
    }
}

/// The API's own spelling of what was given in any letter case.
fn one_of(
    given: Option<&str>,
    known: &'static [&'static str],
    place: &'static str,
) -> Result<Option<&'static str>, Failure> {
    let Some(given) = given else { return Ok(None) };
    match known.iter().find(|known| known.eq_ignore_ascii_case(given)) {
        Some(found) => Ok(Some(found)),
        None => Err(invalid(place, format!("`{place}` is one of {}; `{given}` is not.", known.join(", ")))),
    }
}

/// `hh:mm:ss`, more than nothing and at most a day: its seconds.
fn time_span(text: &str) -> Option<u32> {
    let two_digits = |part: &str| {
        let good = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| part.parse::<u32>().ok()).flatten()
    };
    let parts: Option<Vec<u32>> = text.split(':').map(two_digits).collect();
    match parts.as_deref() {
        Some([hours, minutes, seconds]) if *minutes < 60 && *seconds < 60 => {
            Some(hours * 3600 + minutes * 60 + seconds).filter(|seconds| (1..=DAY_SECONDS).contains(seconds))
        }
        _ => None,
    }
}

fn is_date(text: &str) -> bool {
    text.get(4..5) == Some("-") && (text.parse::<DateTime>().is_ok() || text.parse::<Timestamp>().is_ok())
}

fn invalid(place: &str, detail: impl Into<String>) -> Failure {
    Failure::new(Code::BodyInvalid, detail).at(place)
}
