//! Refreshes of dataflows. One that was accepted has no id until it shows in the list.

use serde::{Deserialize, Serialize};

use super::call::{is_guid, known_workspace};
use super::error::MY_WORKSPACE;
use super::item::Item;
use super::lists::ListBody;
use super::{PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// One refresh of a dataflow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataflowRefresh {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// In the service's words: `InProgress`, `Success`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl PowerBi {
    /// `whole` processes everything instead of what the dataflow's own rules say.
    pub async fn refresh_dataflow(
        &self,
        workspace: &str,
        dataflow: &str,
        whole: bool,
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let (mut url, subject) = self.of_dataflow(workspace, dataflow, "refreshes")?;
        if whole {
            url.set_query(Some("processType=processFull"));
        }
        // The contract wants the option; mail is for people.
        let request = Outbound::post(url).json(r#"{"notifyOption":"NoNotification"}"#);
        self.call(RequestKind::DataflowRefresh, request, &subject, deadline).await?;
        Ok(())
    }

    pub async fn dataflow_refreshes(
        &self,
        workspace: &str,
        dataflow: &str,
        deadline: Deadline,
    ) -> Result<Vec<DataflowRefresh>, PowerBiError> {
        let (url, subject) = self.of_dataflow(workspace, dataflow, "transactions")?;
        let body: ListBody<_> = self.ask(RequestKind::PowerBiGet, Outbound::get(url), &subject, deadline).await?;
        Ok(body.value)
    }

    fn of_dataflow(&self, workspace: &str, dataflow: &str, segment: &str) -> Result<(url::Url, Subject), PowerBiError> {
        known_workspace(workspace)?;
        if workspace == MY_WORKSPACE {
            let detail = "My Workspace has no dataflows. Use a workspace's id instead of `me`.";
            return Err(Failure::new(Code::WorkspaceNotFound, detail).into());
        }
        let item = Item::Dataflow { workspace: workspace.to_owned(), dataflow: dataflow.to_owned() };
        if !is_guid(dataflow) {
            let detail = format!("`{dataflow}` is not a dataflow's id. A name will not do.");
            return Err(Failure::new(item.missing(), detail).into());
        }
        let url = self.address_within(workspace, &["dataflows", dataflow, segment])?;
        Ok((url, Subject::Item(item)))
    }
}
