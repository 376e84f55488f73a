//! Entries of lists, as they come and as they are shown: in the service's own names, and no more of it than a maker chooses
//! by. Every member but the id may be missing: "the API returns a subset" (Microsoft's swagger).

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_read_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_on_dedicated_capacity: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_dataset_storage_format: Option<String>,
}

/// The swagger writes some members with a capital, the service does not.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_by: Option<String>,
    #[serde(alias = "CreatedDate", default, skip_serializing_if = "Option::is_none")]
    pub created_date: Option<String>,
    /// A push dataset.
    #[serde(rename = "addRowsAPIEnabled", default, skip_serializing_if = "Option::is_none")]
    pub add_rows_api_enabled: Option<bool>,
    #[serde(alias = "IsRefreshable", default, skip_serializing_if = "Option::is_none")]
    pub is_refreshable: Option<bool>,
    #[serde(alias = "IsEffectiveIdentityRequired", default, skip_serializing_if = "Option::is_none")]
    pub is_effective_identity_required: Option<bool>,
    #[serde(alias = "IsOnPremGatewayRequired", default, skip_serializing_if = "Option::is_none")]
    pub is_on_prem_gateway_required: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_storage_mode: Option<String>,
    #[serde(alias = "WebUrl", default, skip_serializing_if = "Option::is_none")]
    pub web_url: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A paginated report has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embed_url: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dataflow {
    #[serde(alias = "objectId")]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_by: Option<String>,
}

/// A table of a push dataset. The service often tells no more than its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_hidden: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_string: Option<String>,
}
