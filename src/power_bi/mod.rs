//! The client of the Power BI REST API: lists, push datasets and their rows, refreshes, DAX. When to refresh and what to
//! push is no business of this room; how often a call is tried is `http`.

mod call;
mod data_type;
mod dataflows;
mod dax_rows;
mod error;
mod exports;
mod item;
mod limits;
mod listed;
mod lists;
mod pace;
mod push_datasets;
mod push_tables;
mod queries;
mod raw;
mod refresh_body;
mod refreshes;
mod refusal;
mod rows;
mod schema;
mod sequence_numbers;
#[cfg(test)]
pub(crate) mod tests;
mod upkeep;
mod wire;

use std::sync::Arc;

use url::Url;

use crate::entra::{Authorized, TokenSource};
use crate::failure::Failure;
use crate::http::{Deadline, Http, Outbound, RequestKind};

pub use data_type::DataType;
pub use dataflows::DataflowRefresh;
pub use dax_rows::DaxRows;
pub use error::{Place, PowerBiError, Refused, Subject};
pub use exports::{Export, ExportRequest, ExportState};
pub use item::Item;
pub use limits::{MAX_BYTES_PER_BATCH, MAX_ROWS_PER_BATCH};
pub use listed::{Dataflow, Dataset, Report, Table, Workspace};
pub use lists::Portion;
pub use pace::{BatchTurn, NextBatch};
pub use push_datasets::{NewDataset, Retention};
pub use push_tables::{PushColumn, PushTable};
pub use queries::DaxQuery;
pub use raw::{RawCall, raw_refusal};
pub use refreshes::{Refresh, RefreshAttempt, RefreshObject, RefreshRequest, RefreshState, RefreshedObject, Started};
pub use schema::{ColumnSchema, Measure, Relationship, TableSchema, check_dataset};
pub use upkeep::{ModelParameter, NewValue, RefreshSchedule};

/// Power BI; cheap to clone.
#[derive(Clone, Debug)]
pub struct PowerBi {
    url: Url,
    way: Authorized,
    pace: Arc<pace::Pace>,
    tables: Arc<push_tables::Tables>,
}

impl PowerBi {
    /// `url` is the service's origin, such as `https://api.powerbi.com`.
    pub fn new(http: Http, url: Url, tokens: Arc<dyn TokenSource>) -> Self {
        Self { url, way: Authorized::new(http, tokens), pace: Arc::new(pace::Pace::new(1)), tables: Arc::default() }
    }

    /// The same service, called with other tokens, on behalf of a user. What one of them may see is not kept for another.
    #[must_use]
    pub fn acting_with(&self, tokens: Arc<dyn TokenSource>) -> Self {
        Self { way: self.way.with_tokens(tokens), tables: Arc::default(), ..self.clone() }
    }

    /// Beside a stand-in whose time runs so many times faster.
    #[must_use]
    pub fn with_time_scale(mut self, scale: u32) -> Self {
        self.pace = Arc::new(pace::Pace::new(scale));
        self
    }

    /// Has a token in hand, so that the next call is that call alone.
    pub async fn ready(&self, deadline: Deadline) -> Result<(), Failure> {
        self.way.ready(deadline).await
    }

    /// Whether Power BI answers and takes our token. That we may see a workspace is not asked.
    pub async fn probe(&self, deadline: Deadline) -> Result<(), Failure> {
        let mut url = self.address(&["groups"])?;
        url.query_pairs_mut().append_pair("$top", "1");
        self.call(RequestKind::Probe, Outbound::get(url), &Subject::Service, deadline).await?;
        Ok(())
    }
}
