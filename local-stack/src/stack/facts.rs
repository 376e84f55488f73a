//! What people and programs are told about a running stack: where it is and what opens it. These are the words of
//! `causeway-local up --json`; all secrets are thrown away with the stack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{ENTRA_CLIENT_ID, Stack, TENANT};
use crate::databricks;
use crate::power_bi::sample;

/// Base URLs, without a trailing slash.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Absent without a host.
    pub host: Option<String>,
    pub databricks: String,
    pub power_bi: String,
    pub key_vault: String,
    pub entra: String,
    pub service_bus: String,
    /// With the account's name, as emulators have it.
    pub blob: String,
    pub managed_identity: String,
    /// Where events are published; they are delivered to the function `event-grid`.
    pub event_grid: String,
}

/// What opens the stand-ins, and what is in them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The default key of each function.
    pub function_keys: BTreeMap<String, String>,
    /// The default host key: opens every function.
    pub host_key: Option<String>,
    /// The certificate authority that Key Vault and Entra are signed by, in PEM.
    pub ca_file: PathBuf,
    /// Of the Databricks service principal, for OAuth M2M.
    pub client_id: String,
    pub client_secret: String,
    /// A Databricks personal access token.
    pub token: String,
    pub warehouse_id: String,
    /// A Power BI workspace on a capacity, its import model and its push dataset.
    pub workspace_id: String,
    pub dataset_id: String,
    pub push_dataset_id: String,
    /// A Power BI workspace on shared capacity, and its import model.
    pub shared_workspace_id: String,
    pub shared_dataset_id: String,
    pub tenant_id: String,
    /// An Entra application, for client credentials.
    pub entra_client_id: String,
    pub entra_client_secret: String,
    /// What `X-IDENTITY-HEADER` must be.
    pub identity_header: String,
    /// What publishers send as `aeg-sas-key`.
    pub event_grid_key: String,
}

/// Everything, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    pub endpoints: Endpoints,
    pub credentials: Credentials,
    pub handler_environment: BTreeMap<String, String>,
}

impl Stack {
    pub fn endpoints(&self) -> Endpoints {
        Endpoints {
            host: self.host.as_ref().map(crate::host::Host::url),
            databricks: self.databricks.served.http_url(),
            power_bi: self.power_bi.url(),
            key_vault: self.key_vault.url(),
            entra: self.entra.authority.https_url(),
            service_bus: self.service_bus.served.http_url(),
            blob: self.blob.account_url(),
            managed_identity: self.entra.identity_endpoint(),
            event_grid: self.event_grid.url(),
        }
    }

    pub fn credentials(&self) -> Credentials {
        let keys = self.host.as_ref().map(crate::host::Host::keys).unwrap_or_default();
        let default = |of: &BTreeMap<String, String>| of.get("default").cloned();
        Credentials {
            function_keys: keys
                .functions
                .iter()
                .filter_map(|(name, keys)| Some((name.clone(), default(keys)?)))
                .collect(),
            host_key: default(&keys.host),
            ca_file: self.ca_file.clone(),
            client_id: databricks::CLIENT_ID.into(),
            client_secret: databricks::CLIENT_SECRET.into(),
            token: databricks::TOKEN.into(),
            warehouse_id: self.options.warehouse().to_owned(),
            workspace_id: sample::WORKSPACE.into(),
            dataset_id: sample::SALES.into(),
            push_dataset_id: sample::SALES_LIVE.into(),
            shared_workspace_id: sample::SHARED_WORKSPACE.into(),
            shared_dataset_id: sample::TEAM_SALES.into(),
            tenant_id: TENANT.into(),
            entra_client_id: ENTRA_CLIENT_ID.into(),
            entra_client_secret: self.entra_client_secret.clone(),
            identity_header: self.entra.identity_header.clone(),
            event_grid_key: self.event_grid.key().to_owned(),
        }
    }

    pub fn facts(&self) -> Facts {
        Facts {
            endpoints: self.endpoints(),
            credentials: self.credentials(),
            handler_environment: self.handler_environment(),
        }
    }
}
