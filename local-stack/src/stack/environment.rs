//! The app settings that the handler is started with: where each neighbour is, and how to prove who it is. Whatever
//! has a good default in the handler is left out.

use std::collections::BTreeMap;

use super::{DatabricksAuthentication, ENTRA_CLIENT_ID, LEDGER_CONTAINER, Stack, TENANT};
use crate::databricks;
use crate::power_bi::sample;

impl Stack {
    /// Every variable, but for those that only the host can know (its port and process).
    pub fn handler_environment(&self) -> BTreeMap<String, String> {
        let service_bus = self.service_bus.served.http_url();
        let mut environment: BTreeMap<String, String> = [
            // What Azure sets, or reads.
            ("AZURE_AUTHORITY_HOST", self.entra.authority_host()),
            ("AzureWebJobsStorage__blobServiceUri", self.blob.account_url()),
            ("FUNCTIONS_APP_ROOT_PATH", self.app_root().to_owned()),
            ("FUNCTIONS_WORKER_RUNTIME", "custom".into()),
            ("IDENTITY_ENDPOINT", self.entra.identity_endpoint()),
            ("IDENTITY_HEADER", self.entra.identity_header.clone()),
            ("SSL_CERT_FILE", self.ca_file.display().to_string()),
            ("ServiceBusConnection__fullyQualifiedNamespace", self.service_bus.served.address.to_string()),
            // Our own.
            ("CAUSEWAY_DATABRICKS_HOST", self.databricks.served.http_url()),
            ("CAUSEWAY_DATABRICKS_WAREHOUSE_ID", self.options.warehouse().to_owned()),
            ("CAUSEWAY_ENTRA_CLIENT_ID", ENTRA_CLIENT_ID.into()),
            ("CAUSEWAY_ENTRA_TENANT_ID", TENANT.into()),
            ("CAUSEWAY_KEY_VAULT_URL", self.key_vault.url()),
            // The challenge names vault.azure.net, and the vault is on loopback.
            ("CAUSEWAY_KEY_VAULT_VERIFY_CHALLENGE", "false".into()),
            ("CAUSEWAY_LEDGER_URL", self.blob.container_url(LEDGER_CONTAINER)),
            ("CAUSEWAY_PARKING_QUEUE", "causeway-parking".into()),
            ("CAUSEWAY_POWER_BI_URL", self.power_bi.url()),
            ("CAUSEWAY_REPLY_QUEUES", "causeway-replies".into()),
            ("CAUSEWAY_REQUEST_QUEUE", "causeway-requests".into()),
            ("CAUSEWAY_SERVICE_BUS_URL", service_bus),
            // The sample lakehouse is there to be written to.
            ("CAUSEWAY_SQL_MODE", "read_write".into()),
            ("CAUSEWAY_POWER_BI_RAW", "true".into()),
            ("CAUSEWAY_REQUEST_TOPIC", self.options.topics.first().map(|(topic, _)| topic.clone()).unwrap_or_default()),
            ("CAUSEWAY_REQUEST_SUBSCRIPTION", "causeway".into()),
            ("CAUSEWAY_WORK_QUEUE", "causeway-work".into()),
            // What the example operations see as `variables.*`.
            ("CAUSEWAY_VAR_WORKSPACE", sample::WORKSPACE.into()),
            ("CAUSEWAY_VAR_SALES_DATASET", sample::SALES.into()),
            ("CAUSEWAY_VAR_LIVE_DATASET", sample::SALES_LIVE.into()),
            ("CAUSEWAY_VAR_SHARED_WORKSPACE", sample::SHARED_WORKSPACE.into()),
            ("CAUSEWAY_VAR_TEAM_DATASET", sample::TEAM_SALES.into()),
        ]
        .into_iter()
        .chain(self.databricks_authentication())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        environment.extend(self.options.extra_environment.clone());
        environment.retain(|_, value| !value.is_empty());
        environment
    }

    fn databricks_authentication(&self) -> Vec<(&'static str, String)> {
        let name = match self.options.databricks_authentication {
            DatabricksAuthentication::ManagedIdentity => "managed-identity",
            DatabricksAuthentication::ClientSecret => "client-secret",
            DatabricksAuthentication::OAuthM2m => "oauth-m2m",
            DatabricksAuthentication::PersonalAccessToken => "pat",
        };
        let mut variables = vec![("CAUSEWAY_DATABRICKS_AUTH", name.to_owned())];
        if self.options.databricks_authentication == DatabricksAuthentication::OAuthM2m {
            variables.push(("CAUSEWAY_DATABRICKS_CLIENT_ID", databricks::CLIENT_ID.into()));
        }
        variables
    }

    fn app_root(&self) -> &str {
        // A path that is no text cannot be told to anybody in JSON; none is made here.
        self.options.app_root.to_str().unwrap_or_default()
    }
}
