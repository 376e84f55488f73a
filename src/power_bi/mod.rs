//! The client of the Power BI REST API: refreshes, rows, datasets.

mod error;
mod refreshes;
mod rows;

use std::sync::Arc;

use url::Url;

use crate::entra::TokenSource;
use crate::failure::Failure;
use crate::http::{Deadline, Http};

pub use error::PowerBiError;
pub use refreshes::{Refresh, RefreshObject, RefreshRequest, RefreshState, Started};
pub use rows::{MAX_ROWS_PER_BATCH, batches};

/// Power BI; cheap to clone.
#[derive(Clone, Debug)]
pub struct PowerBi {
    #[allow(dead_code)]
    http: Http,
    #[allow(dead_code)]
    url: Url,
    #[allow(dead_code)]
    tokens: Arc<dyn TokenSource>,
}

impl PowerBi {
    pub fn new(http: Http, url: Url, tokens: Arc<dyn TokenSource>) -> Self {
        Self { http, url, tokens }
    }

    /// Whether Power BI answers and takes our token.
    pub async fn probe(&self, _deadline: Deadline) -> Result<(), Failure> {
        unimplemented!()
    }
}
