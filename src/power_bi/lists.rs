//! What there is: workspaces, datasets, reports, dataflows, tables. How an entry looks is `listed.rs`.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::call::known_workspace;
use super::item::Item;
use super::listed::{Dataflow, Dataset, Report, Table, Workspace};
use super::{Place, PowerBi, PowerBiError, Subject};
use crate::http::{Deadline, Outbound, RequestKind};

/// Which workspaces, in the service's own words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portion<'a> {
    /// OData, as the service reads it.
    pub filter: Option<&'a str>,
    pub top: usize,
    pub skip: usize,
}

#[derive(Deserialize)]
pub(super) struct ListBody<T> {
    pub(super) value: Vec<T>,
}

impl PowerBi {
    /// The only list that the service itself filters and pages.
    pub async fn workspaces(&self, portion: &Portion<'_>, deadline: Deadline) -> Result<Vec<Workspace>, PowerBiError> {
        let mut url = self.address(&["groups"])?;
        // A space is %20: what a plus means depends on who reads it.
        let filter = portion.filter.map(|filter| utf8_percent_encode(filter, NON_ALPHANUMERIC).to_string());
        let filter = filter.map(|filter| format!("&$filter={filter}")).unwrap_or_default();
        url.set_query(Some(&format!("$top={}&$skip={}{filter}", portion.top, portion.skip)));
        self.list(Outbound::get(url), Item::Workspaces, deadline).await
    }

    pub async fn datasets(&self, workspace: &str, deadline: Deadline) -> Result<Vec<Dataset>, PowerBiError> {
        self.held(workspace, "datasets", deadline).await
    }

    pub async fn reports(&self, workspace: &str, deadline: Deadline) -> Result<Vec<Report>, PowerBiError> {
        self.held(workspace, "reports", deadline).await
    }

    pub async fn dataflows(&self, workspace: &str, deadline: Deadline) -> Result<Vec<Dataflow>, PowerBiError> {
        self.held(workspace, "dataflows", deadline).await
    }

    pub async fn dataset(&self, workspace: &str, dataset: &str, deadline: Deadline) -> Result<Dataset, PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let request = Outbound::get(self.address_in(&place, &[])?);
        self.ask(RequestKind::PowerBiGet, request, &Subject::Item(Item::Dataset(place)), deadline).await
    }

    /// The tables of a push dataset; others do not show theirs here.
    pub async fn tables(&self, workspace: &str, dataset: &str, deadline: Deadline) -> Result<Vec<Table>, PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let request = Outbound::get(self.address_in(&place, &["tables"])?);
        self.list(request, Item::Table { place, table: None }, deadline).await
    }

    async fn held<T: DeserializeOwned>(
        &self,
        workspace: &str,
        what: &'static str,
        deadline: Deadline,
    ) -> Result<Vec<T>, PowerBiError> {
        known_workspace(workspace)?;
        let request = Outbound::get(self.address_within(workspace, &[what])?);
        self.list(request, Item::Held { workspace: workspace.to_owned(), what }, deadline).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        request: Outbound,
        item: Item,
        deadline: Deadline,
    ) -> Result<Vec<T>, PowerBiError> {
        let body: ListBody<T> = self.ask(RequestKind::PowerBiGet, request, &Subject::Item(item), deadline).await?;
        Ok(body.value)
    }
}
