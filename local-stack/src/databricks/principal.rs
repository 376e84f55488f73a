//! Who calls the workspace: its service principal, or a user of Entra's directory who was added to it. Unity Catalog's
//! rules ask for the name and the account groups (Databricks SQL reference, `current_user`, `is_account_group_member`).

use serde::Serialize;

use super::options::DatabricksOptions;
use crate::entra::User;

/// The numeric id of the service principal; users follow it.
const FIRST_ID: u64 = 7_340_881_216_550_943;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Principal {
    #[serde(skip)]
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) groups: Vec<String>,
}

impl Principal {
    /// Everybody who is no user.
    pub(super) fn service(options: &DatabricksOptions) -> Self {
        let name = options.clients.first().map_or_else(|| "maker@example.com".into(), |(id, _)| id.clone());
        Self { id: FIRST_ID, name, groups: options.service_groups.clone() }
    }

    /// A user; `None` of one who is not in the workspace.
    pub(super) fn user(options: &DatabricksOptions, object_id: &str) -> Option<Self> {
        let known = |user: &User| user.object_id == object_id;
        let at = options.users.iter().position(known)?;
        let user = options.users.get(at)?;
        Some(Self {
            id: FIRST_ID + 1 + u64::try_from(at).unwrap_or_default(),
            name: user.principal_name.to_owned(),
            groups: user.groups.iter().map(|group| (*group).to_owned()).collect(),
        })
    }
}
