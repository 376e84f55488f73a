//! The refresh schedule of a dataset (swagger, `Datasets_GetRefreshScheduleInGroup`,
//! `Datasets_UpdateRefreshScheduleInGroup`). Nothing is ever refreshed by it here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Service;
use super::admission::{At, Caller};
use super::parameters::owned;
use super::refreshes::invalid;
use super::reply::{Reply, bad, context, done, ok, parsed};

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Times a day, on shared capacity and on others ("Data refresh in Power BI").
const MOST: (usize, usize) = (8, 48);

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Schedule {
    days: Vec<String>,
    times: Vec<String>,
    enabled: bool,
    local_time_zone_id: String,
    notify_option: String,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            days: Vec::new(),
            times: Vec::new(),
            enabled: false,
            local_time_zone_id: "UTC".into(),
            notify_option: "NoNotification".into(),
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    value: Change,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    days: Option<Vec<String>>,
    times: Option<Vec<String>>,
    enabled: Option<bool>,
    local_time_zone_id: Option<String>,
    #[serde(alias = "NotifyOption")]
    notify_option: Option<String>,
}

pub(super) async fn get(State(service): State<Arc<Service>>, Path(at): Path<At>, headers: HeaderMap) -> Reply {
    service.admit_at(&headers, &at)?;
    let mut model = service.model();
    let schedule = &model.dataset(&at)?.schedule;
    let mut body = serde_json::to_value(schedule).map_err(|cause| bad(&cause.to_string()))?;
    body["@odata.context"] = json!(context(&headers, "refreshSchedule"));
    Ok(ok(&body))
}

pub(super) async fn update(
    State(service): State<Arc<Service>>,
    Path(at): Path<At>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let caller = service.admit_at(&headers, &at)?;
    let Asked { value: change } = parsed(&body)?;
    {
        let mut model = service.model();
        let shared = model.workspace(&at)?.capacity.is_none();
        let dataset = model.dataset(&at)?;
        owned(dataset)?;
        if dataset.push {
            return Err(invalid("This API can only be called on a Model-based dataset"));
        }
        dataset.schedule = change.over(&dataset.schedule, &caller, if shared { MOST.0 } else { MOST.1 })?;
    }
    let detail = json!({"workspace": at.workspace(), "dataset": at.dataset});
    service.history.record("powerBi", "scheduleUpdated", detail);
    Ok(done())
}

impl Change {
    fn over(self, before: &Schedule, caller: &Caller, most: usize) -> Result<Schedule, Response> {
        let Self { days, times, enabled, local_time_zone_id, notify_option } = self;
        let others = days.is_some() || times.is_some() || local_time_zone_id.is_some() || notify_option.is_some();
        if enabled == Some(false) && others {
            return Err(bad("A request that disables the refresh schedule should contain no other changes."));
        }
        let after = Schedule {
            days: days.unwrap_or_else(|| before.days.clone()),
            times: times.unwrap_or_else(|| before.times.clone()),
            enabled: enabled.unwrap_or(before.enabled),
            local_time_zone_id: local_time_zone_id.unwrap_or_else(|| before.local_time_zone_id.clone()),
            notify_option: notify_option.unwrap_or_else(|| before.notify_option.clone()),
        };
        if (after.enabled && after.days.is_empty()) || after.days.iter().any(|day| !DAYS.contains(&day.as_str())) {
            return Err(bad("At least one day must be specified, by its English name."));
        }
        if after.times.len() > most || !after.times.iter().all(|time| is_half_hour(time)) {
            return Err(bad(&format!("There are at most {most} times a day, at full and half hours (hh:00, hh:30).")));
        }
        if after.local_time_zone_id.trim().is_empty() {
            return Err(bad("The time zone is not known."));
        }
        match after.notify_option.as_str() {
            "NoNotification" => Ok(after),
            "MailOnFailure" if !caller.application => Ok(after),
            // "Service principals only support the `NoNotification` value."
            option => Err(bad(&format!("The notifyOption '{option}' is not valid."))),
        }
    }
}

fn is_half_hour(time: &str) -> bool {
    let hour = time.strip_suffix(":00").or_else(|| time.strip_suffix(":30"));
    hour.is_some_and(|hour| hour.len() == 2 && hour.parse::<u8>().is_ok_and(|hour| hour < 24))
}
