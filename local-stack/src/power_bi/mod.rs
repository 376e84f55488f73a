//! The stand-in for the Power BI REST API: workspaces, datasets, push rows with their limits, refreshes with their
//! states. What is there is `model.rs` (the sample `sample.rs`); who may ask and how errors look is `reply.rs`.

mod asked;
mod exchange;
mod lists;
mod model;
mod push_datasets;
mod refresh;
mod refreshes;
mod reply;
mod rows;
pub mod sample;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, delete, get, post, put};
use serde_json::{Map, Value};

use crate::core::{History, Served};
use crate::entra::Tokens;

use model::Model;
pub use model::{Column, DataType, Dataset, Limits, Table, Workspace};
pub use refresh::{FailedRefresh, RefreshState};

/// What tokens are for. The second name is the one that the page on enhanced refresh gives.
pub const AUDIENCES: [&str; 2] = ["https://analysis.windows.net/powerbi/api", "https://api.powerbi.com"];

/// How refreshes move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// A refresh ends this long after it was accepted.
    Auto(Duration),
    /// Only [`PowerBi::step`] moves a refresh.
    Stepped,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct PowerBiOptions {
    /// 0 takes any free port.
    pub port: u16,
    pub tokens: Tokens,
    pub clock: Clock,
    pub limits: Limits,
    pub workspaces: Vec<Workspace>,
}

impl PowerBiOptions {
    /// Any free port, the sample, refreshes of half a second, the service's limits.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            port: 0,
            tokens,
            clock: Clock::Auto(Duration::from_millis(500)),
            limits: Limits::default(),
            workspaces: sample::workspaces(),
        }
    }
}

/// Power BI, being served over plain http. Effects in the history: `refresh` (accepted), `refreshEnded`, `rows`,
/// `rowsDeleted`, `dataset`, `datasetDeleted`; and each `exchange` as it was.
#[derive(Debug)]
pub struct PowerBi {
    pub served: Served,
    service: Arc<Service>,
}

#[derive(Debug)]
pub(crate) struct Service {
    tokens: Tokens,
    history: History,
    model: Mutex<Model>,
}

impl Service {
    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PowerBi {
    pub async fn start(options: PowerBiOptions, history: History) -> anyhow::Result<Self> {
        let service = Arc::new(Service {
            tokens: options.tokens,
            history: history.clone(),
            model: Mutex::new(Model::new(options.workspaces, options.clock, options.limits)),
        });
        let dataset = "/v1.0/myorg/groups/{group}/datasets/{dataset}";
        let router = Router::new()
            .route("/v1.0/myorg/groups", get(lists::groups))
            .route("/v1.0/myorg/groups/{group}/datasets", get(lists::datasets).post(push_datasets::create))
            .route(dataset, get(lists::dataset).delete(push_datasets::delete))
            .route(&format!("{dataset}/tables"), get(lists::tables))
            .route(&format!("{dataset}/tables/{{table}}"), put(push_datasets::put_table))
            .route(&format!("{dataset}/tables/{{table}}/rows"), post(rows::push).delete(rows::clear))
            .route(&format!("{dataset}/refreshes"), post(refreshes::start).get(refreshes::history))
            .route(&format!("{dataset}/refreshes/{{refresh}}"), get(refreshes::details))
            .route(&format!("{dataset}/refreshes/{{refresh}}"), delete(refreshes::cancel))
            .route("/v1.0/myorg/datasets", any(reply::my_workspace))
            .route("/v1.0/myorg/datasets/{*rest}", any(reply::my_workspace))
            .fallback(reply::unknown)
            .layer(from_fn_with_state(service.clone(), exchange::keep))
            .with_state(service.clone());
        let served = Served::start("powerBi", options.port, None, router, history).await?;
        Ok(Self { served, service })
    }

    pub fn url(&self) -> String {
        self.served.http_url()
    }

    /// Moves every refresh that has not ended one state on: not started, in progress, ended.
    pub fn step(&self) {
        refresh::step_all(&self.service);
    }

    /// From now on; refreshes that run keep the clock they began with.
    pub fn set_clock(&self, clock: Clock) {
        self.service.model().clock = clock;
    }

    /// The next refresh of this dataset fails so; several wait in line.
    pub fn fail_next_refresh(&self, dataset: &str, failure: FailedRefresh) {
        if let Some(dataset) = self.service.model().dataset_by_id(dataset) {
            dataset.failures.push_back(failure);
        }
    }

    /// Puts a refresh that somebody else began into the history, as a schedule or the portal does; its request id.
    pub fn start_foreign_refresh(&self, dataset: &str, refresh_type: &str) -> Option<String> {
        refresh::begin_foreign(&self.service, dataset, refresh_type)
    }

    /// The rows of a push table.
    pub fn rows(&self, dataset: &str, table: &str) -> Vec<Map<String, Value>> {
        let mut model = self.service.model();
        let table = model.dataset_by_id(dataset).and_then(|dataset| dataset.table(table));
        table.map(|table| table.rows.iter().cloned().collect()).unwrap_or_default()
    }

    /// Moves the clock of the limits (per minute, per hour, per day) on.
    pub fn advance(&self, time: Duration) {
        self.service.model().ahead += time;
    }

    /// How long a push takes, so that pushes can be pending at once; none by default.
    pub fn set_push_time(&self, time: Duration) {
        self.service.model().push_time = time;
    }
}
