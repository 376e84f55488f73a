//! Push datasets: made, given other columns, removed. Their rows are `rows.rs`.

use serde::{Deserialize, Serialize};

use super::call::{body, known_workspace};
use super::item::Item;
use super::schema::{Relationship, TableSchema};
use super::{Place, PowerBi, PowerBiError, Subject};
use crate::failure::{Code, Failure};
use crate::http::{Deadline, Outbound, RequestKind};

/// What becomes of old rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Retention {
    /// All are kept, up to 5,000,000 in a table.
    #[default]
    None,
    /// The newest 200,000 of each table.
    BasicFifo,
}

/// A push dataset to be made; its tables have been checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewDataset {
    pub name: String,
    pub tables: Vec<TableSchema>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relationships: Vec<Relationship>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody<'a> {
    #[serde(flatten)]
    dataset: &'a NewDataset,
    default_mode: &'static str,
}

#[derive(Deserialize)]
struct CreatedBody {
    id: String,
}

impl PowerBi {
    /// The id of the dataset that was made. A lost answer leaves open whether it is.
    pub async fn create_dataset(
        &self,
        workspace: &str,
        dataset: &NewDataset,
        retention: Retention,
        deadline: Deadline,
    ) -> Result<String, PowerBiError> {
        known_workspace(workspace)?;
        let mut url = self.address_within(workspace, &["datasets"])?;
        let policy = match retention {
            Retention::None => "None",
            Retention::BasicFifo => "basicFIFO",
        };
        url.set_query(Some(&format!("defaultRetentionPolicy={policy}")));
        let request = Outbound::post(url).json(body(&CreateBody { dataset, default_mode: "Push" })?);
        let subject = Subject::Item(Item::Held { workspace: workspace.to_owned(), what: "datasets" });
        let created: CreatedBody = self.ask(RequestKind::DatasetCreate, request, &subject, deadline).await?;
        Ok(created.id)
    }

    /// Gives a table other columns and measures; its rows stay.
    pub async fn put_table(
        &self,
        workspace: &str,
        dataset: &str,
        table: &TableSchema,
        deadline: Deadline,
    ) -> Result<(), PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        // URLs drop such segments, however they are encoded: the rest would be another address.
        if matches!(table.name.as_str(), "" | "." | "..") {
            return Err(Failure::new(Code::TableNotFound, format!("There is no table `{}`.", table.name)).into());
        }
        let url = self.address_in(&place, &["tables", &table.name])?;
        let request = Outbound { method: "PUT", ..Outbound::post(url) }.json(body(table)?);
        let subject = Subject::Item(Item::Table { place, table: Some(table.name.clone()) });
        self.call(RequestKind::TablePut, request, &subject, deadline).await?;
        Ok(())
    }

    /// Deletes any dataset, not only a push dataset; the reports on it go with it.
    pub async fn delete_dataset(&self, workspace: &str, dataset: &str, deadline: Deadline) -> Result<(), PowerBiError> {
        let place = Place::of(workspace, dataset)?;
        let request = Outbound::delete(self.address_in(&place, &[])?);
        match self.call(RequestKind::DatasetDelete, request, &Subject::Item(Item::Dataset(place)), deadline).await {
            Ok(_) => Ok(()),
            // The first try did it and its answer was lost.
            Err(PowerBiError::Refused(refused)) if refused.status == 404 && refused.tries > 1 => Ok(()),
            Err(error) => Err(error),
        }
    }
}
