//! The client of the Power BI REST API: refreshes, and rows of push datasets. When to refresh and what to push is no
//! business of this room; how often a call is tried is `http`.

mod call;
mod data_type;
mod error;
mod limits;
mod pace;
mod push_tables;
mod refresh_body;
mod refreshes;
mod refusal;
mod rows;
mod sequence_numbers;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use url::Url;

use crate::entra::{Authorized, TokenSource};
use crate::failure::Failure;
use crate::http::{Deadline, Http, Outbound, RequestKind};

pub use data_type::DataType;
pub use error::{Place, PowerBiError, Refused, Subject};
pub use limits::{MAX_BYTES_PER_BATCH, MAX_ROWS_PER_BATCH};
pub use pace::NextBatch;
pub use push_tables::{PushColumn, PushTable};
pub use refreshes::{Refresh, RefreshObject, RefreshRequest, RefreshState, Started};

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

    /// Beside a stand-in whose time runs so many times faster.
    #[must_use]
    pub fn with_time_scale(mut self, scale: u32) -> Self {
        self.pace = Arc::new(pace::Pace::new(scale));
        self
    }

    /// Whether Power BI answers and takes our token. That we may see a workspace is not asked.
    pub async fn probe(&self, deadline: Deadline) -> Result<(), Failure> {
        let mut url = self.address(&["groups"])?;
        url.query_pairs_mut().append_pair("$top", "1");
        self.call(RequestKind::Probe, Outbound::get(url), &Subject::Service, deadline).await?;
        Ok(())
    }
}
