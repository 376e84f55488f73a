//! A refresh as callers and expressions see it, and how it ended.

use serde_json::{Value, json};

use crate::failure::{Code, Failure, Upstream};
use crate::power_bi::{Refresh, RefreshState};

/// "The error code `0xC11C0020` means that the model was evicted; submit the refresh again" (Enhanced refresh with the
/// Power BI REST API, Troubleshooting).
const EVICTED: &str = "0xC11C0020";

/// Success; a failure with the service's messages; or not ended yet.
pub fn outcome(refresh: &Refresh) -> Result<Option<()>, Failure> {
    match refresh.state {
        RefreshState::InProgress => Ok(None),
        RefreshState::Completed => Ok(Some(())),
        RefreshState::Cancelled => Err(Failure::new(Code::RefreshFailed, "The refresh was cancelled.")),
        RefreshState::Disabled => {
            Err(Failure::new(Code::RefreshFailed, "Power BI has disabled refreshing this dataset; see its settings."))
        }
        RefreshState::Failed => Err(failed(refresh)),
    }
}

fn failed(refresh: &Refresh) -> Failure {
    let mut said = refresh.messages.join(" ");
    let failed =
        refresh.objects.iter().filter(|object| object.status.as_deref().is_some_and(|status| status != "Completed"));
    let tables: Vec<String> = failed
        .map(|object| {
            let status = object.status.as_deref().unwrap_or_default();
            match &object.partition {
                Some(partition) if *partition != object.table => format!("{} ({partition}): {status}", object.table),
                _ => format!("{}: {status}", object.table),
            }
        })
        .collect();
    if !tables.is_empty() {
        said = format!("{said} Not refreshed: {}.", tables.join(", "));
    }
    let evicted = refresh.messages.iter().any(|message| message.contains(EVICTED));
    let (code, what) = if evicted {
        (Code::RefreshEvicted, "Power BI evicted the model from memory while it was being refreshed")
    } else {
        (Code::RefreshFailed, "The refresh failed")
    };
    Failure::new(code, format!("{what}: {}", said.trim())).from_upstream(Upstream {
        service: "power-bi".to_owned(),
        status: None,
        code: refresh.messages.first().and_then(|first| first.split_once(':')).map(|(code, _)| code.to_owned()),
        request_id: refresh.refresh_id.clone(),
    })
}

pub fn refresh_json(refresh: Option<&Refresh>, coalesced: bool) -> Value {
    json!({
        "refreshId": refresh.and_then(|refresh| refresh.refresh_id.clone()),
        "state": refresh.map_or(RefreshState::InProgress, |refresh| refresh.state),
        "startTime": refresh.and_then(|refresh| refresh.start_time),
        "endTime": refresh.and_then(|refresh| refresh.end_time),
        "coalesced": coalesced,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power_bi::RefreshedObject;

    fn failed_with(messages: &[&str]) -> Refresh {
        let object = |table: &str, partition: &str, status: &str| RefreshedObject {
            table: table.into(),
            partition: Some(partition.into()),
            status: Some(status.into()),
        };
        Refresh {
            refresh_id: Some("r".into()),
            refresh_type: None,
            state: RefreshState::Failed,
            start_time: None,
            end_time: None,
            messages: messages.iter().map(|message| (*message).to_owned()).collect(),
            kind: None,
            commit_mode: None,
            objects: vec![object("Days", "Days", "Completed"), object("Sales", "2026", "Failed")],
            attempts: Vec::new(),
        }
    }

    #[test]
    fn a_failure_carries_what_the_service_says_and_each_table_that_was_not_refreshed() {
        let failure = outcome(&failed_with(&["0xC112001C: no such column", "Warning: slow"])).expect_err("it failed");
        assert_eq!(failure.code, Code::RefreshFailed);
        let expected =
            "The refresh failed: 0xC112001C: no such column Warning: slow Not refreshed: Sales (2026): Failed.";
        assert_eq!(failure.detail, expected);
        assert_eq!(failure.upstream.and_then(|upstream| upstream.code).as_deref(), Some("0xC112001C"));
    }

    #[test]
    fn an_evicted_model_has_a_code_of_its_own() {
        assert_eq!(outcome(&failed_with(&["0xC11C0020: evicted"])).expect_err("it failed").code, Code::RefreshEvicted);
    }
}
