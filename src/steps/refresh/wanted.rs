//! A refresh that somebody wants, and which others do the same work.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::power_bi::{Refresh, RefreshObject, RefreshRequest};

/// The types of a refresh in the history (Power BI REST, Datasets - Get Refresh History In Group).
pub(super) const STANDARD: &str = "ViaApi";
pub(super) const ENHANCED: &str = "ViaEnhancedApi";
const DEFAULT_TYPE: &str = "automatic";
const DEFAULT_COMMIT_MODE: &str = "transactional";

/// What to refresh, and where: the inputs of a step, of a claim, and of a queued refresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedRefresh {
    pub workspace: String,
    pub dataset: String,
    pub request: RefreshRequest,
}

impl WantedRefresh {
    /// The same for all that leave the dataset with the same data in it: one of them does for the others. How fast, how
    /// patiently and in which batches makes no other kind.
    pub(super) fn kind(&self) -> String {
        let request = &self.request;
        if !request.is_enhanced() {
            return "standard".to_owned();
        }
        let word = request.kind.as_deref().unwrap_or(DEFAULT_TYPE).to_ascii_lowercase();
        let policy = request.apply_refresh_policy.unwrap_or(true);
        json!([word, objects(&request.objects), policy, request.effective_date]).to_string()
    }

    /// Whether a refresh of the history may be the one that this asked for, as far as the service tells.
    pub(super) fn may_be(&self, seen: &Refresh) -> bool {
        let request = &self.request;
        if !request.is_enhanced() {
            return seen.refresh_type.as_deref() == Some(STANDARD);
        }
        let same = |seen: Option<&str>, asked: Option<&str>, default: &str| {
            seen.is_none_or(|seen| seen.eq_ignore_ascii_case(asked.unwrap_or(default)))
        };
        // While it goes on the details name no objects; of a whole dataset they name them all, which tells nothing.
        let tables: BTreeSet<&str> = seen.objects.iter().map(|object| object.table.as_str()).collect();
        let asked: BTreeSet<&str> = request.objects.iter().map(|object| object.table.as_str()).collect();
        seen.refresh_type.as_deref() == Some(ENHANCED)
            && same(seen.kind.as_deref(), request.kind.as_deref(), DEFAULT_TYPE)
            && same(seen.commit_mode.as_deref(), request.commit_mode.as_deref(), DEFAULT_COMMIT_MODE)
            && (tables.is_empty() || asked.is_empty() || tables == asked)
    }
}

/// Each once, in order.
fn objects(objects: &[RefreshObject]) -> BTreeSet<(&str, Option<&str>)> {
    objects.iter().map(|object| (object.table.as_str(), object.partition.as_deref())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn wanted(request: Value) -> WantedRefresh {
        let request = serde_json::from_value(request).expect("a request");
        WantedRefresh { workspace: "w".into(), dataset: "d".into(), request }
    }

    #[test]
    fn what_leaves_the_same_data_is_of_one_kind() {
        let one = wanted(json!({"type": "Full", "objects": [{"table": "A"}, {"table": "B", "partition": "1"}]})).kind();
        for other in [
            json!({"type": "full", "objects": [{"table": "B", "partition": "1"}, {"table": "A"}, {"table": "A"}]}),
            json!({"type": "full", "objects": [{"table": "A"}, {"table": "B", "partition": "1"}], "maxParallelism": 2,
                   "timeout": "01:00:00", "retryCount": 1, "applyRefreshPolicy": true, "commitMode": "transactional"}),
        ] {
            assert_eq!(wanted(other.clone()).kind(), one, "{other}");
        }
        assert_eq!(wanted(json!({"maxParallelism": 2})).kind(), wanted(json!({"type": "automatic"})).kind());
    }

    #[test]
    fn what_leaves_other_data_is_of_another_kind() {
        let kinds: BTreeSet<String> = [
            json!({}),
            json!({"type": "automatic"}),
            json!({"type": "full"}),
            json!({"objects": [{"table": "A"}]}),
            json!({"objects": [{"table": "A", "partition": "B"}]}),
            json!({"objects": [{"table": "A"}, {"table": "B"}]}),
            json!({"objects": [{"table": "A"}], "applyRefreshPolicy": false}),
            json!({"objects": [{"table": "A"}], "effectiveDate": "2026-10-31"}),
        ]
        .into_iter()
        .map(|request| wanted(request).kind())
        .collect();
        assert_eq!(kinds.len(), 8, "{kinds:?}");
    }
}
