//! The stand-in for the Power BI REST API: workspaces, datasets, push rows with their limits, refreshes with their
//! states. What is there is `model.rs` (the sample `sample.rs`); who may ask is `admission.rs`, how errors look
//! `reply.rs`. Tests steer it through `steering.rs`, other processes through `control.rs`.

mod admission;
mod answered;
mod asked;
mod control;
mod data_type;
mod dataflows;
mod dax;
mod definition;
mod exchange;
mod export;
mod exports;
mod filter;
mod limits;
mod lists;
mod model;
mod parameters;
mod progress;
mod push_datasets;
mod queries;
mod refresh;
mod refresh_view;
mod refreshes;
mod refreshing;
mod reply;
mod row;
mod rows;
pub mod sample;
mod schedule;
mod sequence_numbers;
mod steering;
mod time;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post, put};

use crate::core::{History, Served};
use crate::entra::Tokens;

pub use data_type::DataType;
pub use export::FailedExport;
pub use limits::Limits;
use model::Model;
pub use model::{Column, Dashboard, Dataflow, Dataset, Parameter, Report, Table, Workspace};
pub use queries::CannedQuery;
pub use refresh::{FailedRefresh, RefreshState};
pub use steering::Tally;

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

/// Whom tokens are taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Callers {
    /// Applications, as the tokens say: they have no My Workspace.
    #[default]
    Applications,
    /// People, whose sign-in the stand-in for Entra does not have: they have one.
    People,
}

/// What becomes of a refresh that is asked for while another of the dataset runs. "Enhanced refresh with the Power BI REST
/// API" says both the first and the third, of which the latter is for "too many requests in a short period of time".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Overlap {
    /// 400.
    #[default]
    BadRequest,
    /// 409, as the page said in 2021.
    Conflict,
    /// 202: one waits for its turn, and the others are dropped, of which nobody is told.
    DropAllButOne,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct PowerBiOptions {
    /// 0 takes any free port.
    pub port: u16,
    pub tokens: Tokens,
    pub clock: Clock,
    pub limits: Limits,
    /// How many times faster than the real one the clock of the limits runs.
    pub time_scale: f64,
    pub callers: Callers,
    /// Whether pushes can be numbered.
    pub sequence_numbers: bool,
    pub workspaces: Vec<Workspace>,
}

impl PowerBiOptions {
    /// Any free port, the sample, refreshes of half a second, the service's limits, sequence numbers.
    pub fn new(tokens: Tokens) -> Self {
        Self {
            port: 0,
            tokens,
            clock: Clock::Auto(Duration::from_millis(500)),
            limits: Limits::default(),
            time_scale: 1.0,
            callers: Callers::default(),
            sequence_numbers: true,
            workspaces: sample::workspaces(),
        }
    }
}

/// Power BI, being served over plain http. Effects in the history: `dataset`, `tableChanged`, `datasetDeleted`; `rows`,
/// `rowsRepeated` (a sequence number again), `rowsDeleted`; `refresh` (accepted), `refreshDropped`, `refreshEnded`;
/// `query`, `export`, `parametersUpdated`, `takenOver`, `scheduleUpdated`, `dataflowRefresh`, `dataflowCancelled`; and
/// each `exchange` as it was.
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
        let (port, tokens) = (options.port, options.tokens.clone());
        let model = Mutex::new(Model::new(options));
        let service = Arc::new(Service { tokens, history: history.clone(), model });
        let router = routes()
            .fallback(admission::unknown)
            .layer(from_fn_with_state(service.clone(), exchange::keep))
            .merge(control::routes())
            .with_state(service.clone());
        let served = Served::start("powerBi", port, None, router, history).await?;
        Ok(Self { served, service })
    }

    pub fn url(&self) -> String {
        self.served.http_url()
    }
}

/// Nearly everything is there twice: in a workspace, and in My Workspace.
fn routes() -> Router<Arc<Service>> {
    let mut router = Router::new().route("/v1.0/myorg/groups", get(lists::groups));
    for place in ["/v1.0/myorg", "/v1.0/myorg/groups/{group}"] {
        let dataset = format!("{place}/datasets/{{dataset}}");
        let table = format!("{dataset}/tables/{{table}}");
        router = router
            .route(&format!("{place}/reports"), get(lists::reports))
            .route(&format!("{place}/reports/{{report}}"), get(lists::report))
            .route(&format!("{place}/dashboards"), get(lists::dashboards))
            .route(&format!("{place}/reports/{{report}}/ExportTo"), post(exports::start))
            .route(&format!("{place}/reports/{{report}}/exports/{{export}}"), get(exports::status))
            .route(&format!("{place}/reports/{{report}}/exports/{{export}}/file"), get(exports::file))
            .route(&format!("{place}/datasets"), get(lists::datasets).post(push_datasets::create))
            .route(&dataset, get(lists::dataset).delete(push_datasets::delete))
            .route(&format!("{dataset}/tables"), get(lists::tables))
            .route(&table, put(push_datasets::put_table))
            .route(&format!("{table}/rows"), post(rows::push).delete(rows::clear))
            .route(&format!("{table}/sequenceNumbers"), get(sequence_numbers::list))
            .route(&format!("{dataset}/executeQueries"), post(queries::execute))
            .route(&format!("{dataset}/parameters"), get(parameters::list))
            .route(&format!("{dataset}/Default.UpdateParameters"), post(parameters::update))
            .route(&format!("{dataset}/refreshSchedule"), get(schedule::get).patch(schedule::update))
            .route(&format!("{dataset}/refreshes"), post(refreshes::start).get(refreshes::history))
            .route(&format!("{dataset}/refreshes/{{refresh}}"), get(refresh_view::details))
            .route(&format!("{dataset}/refreshes/{{refresh}}"), delete(refreshes::cancel));
    }
    let place = "/v1.0/myorg/groups/{group}";
    router
        .route(&format!("{place}/datasets/{{dataset}}/Default.TakeOver"), post(parameters::take_over))
        .route(&format!("{place}/dataflows"), get(dataflows::list))
        .route(&format!("{place}/dataflows/{{dataflow}}/refreshes"), post(dataflows::refresh))
        .route(&format!("{place}/dataflows/{{dataflow}}/transactions"), get(dataflows::transactions))
        .route(&format!("{place}/dataflows/transactions/{{transaction}}/cancel"), post(dataflows::cancel))
}
