//! Who we are at Databricks, and whether a warehouse may be used: for people who look.

use serde::Deserialize;

use super::statement::SubmitStatement;
use super::subject::Subject;
use super::{Databricks, DatabricksError};
use crate::http::{Deadline, Outbound, RequestKind};

/// What the workspace calls us (SCIM, `Me`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// A person's address, or a service principal's application id.
    pub user_name: Option<String>,
    pub display_name: Option<String>,
}

impl Databricks {
    /// Who we are in the workspace.
    pub async fn me(&self, deadline: Deadline) -> Result<Me, DatabricksError> {
        let url = self.address(&["api", "2.0", "preview", "scim", "v2", "Me"])?;
        self.ask(RequestKind::OwnIdentity, Outbound::get(url), &Subject::Workspace, deadline).await
    }

    /// Runs `SELECT 1` on a warehouse, which starts one that is stopped: the only proof of CAN USE.
    pub async fn try_warehouse(&self, warehouse: &str, deadline: Deadline) -> Result<(), DatabricksError> {
        let submit = SubmitStatement::question("SELECT 1", warehouse, deadline.remaining());
        self.submit(&submit, deadline).await?;
        Ok(())
    }
}
