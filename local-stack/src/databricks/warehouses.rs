//! SQL warehouses: list, get, start, stop; a stopped one starts when a statement comes.

use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use http::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::options::WarehouseOptions;
use super::reply::{Reply, error, invalid, ok};
use super::statement::Failure;
use super::workspace::{Shared, lock};

#[derive(Clone, Debug)]
enum Power {
    Running,
    /// Runs from this moment on.
    Starting(Instant),
    Stopped,
}

#[derive(Debug)]
struct Warehouse {
    options: WarehouseOptions,
    state: Power,
}

/// All warehouses of a workspace.
#[derive(Debug)]
pub(super) struct Warehouses {
    all: Mutex<Vec<Warehouse>>,
    changed: watch::Sender<u64>,
}

impl Warehouses {
    pub(super) fn new(options: &[WarehouseOptions]) -> Self {
        let all = options
            .iter()
            .map(|options| Warehouse {
                state: if options.state == "RUNNING" { Power::Running } else { Power::Stopped },
                options: options.clone(),
            })
            .collect();
        Self { all: Mutex::new(all), changed: watch::Sender::new(0) }
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        lock(&self.all).iter().any(|warehouse| warehouse.options.id == id)
    }

    /// Starts it when it is stopped, and waits until it runs.
    pub(super) async fn running(&self, id: &str) -> Result<(), Failure> {
        let mut changed = self.changed.subscribe();
        loop {
            let until = self.with(id, |warehouse| {
                if warehouse.options.refuses_to_start && !matches!(warehouse.state, Power::Running) {
                    return Err(Failure {
                        error_code: "BAD_REQUEST",
                        message: format!(
                            "The SQL warehouse {} could not be started: cluster launch failed.",
                            warehouse.options.id
                        ),
                        sql_state: None,
                    });
                }
                Ok(warehouse.start())
            });
            match until {
                None | Some(Ok(None)) => return Ok(()),
                Some(Err(failure)) => return Err(failure),
                Some(Ok(Some(until))) => {
                    let _ = tokio::time::timeout_at(until, changed.changed()).await;
                }
            }
        }
    }

    /// Sets what a test wants: any of the state, the start delay and the refusal.
    pub(super) fn set(&self, id: &str, state: Option<&str>, delay: Option<Duration>, refuses: Option<bool>) -> bool {
        let known = self.with(id, |warehouse| {
            if let Some(delay) = delay {
                warehouse.options.start_delay = delay;
            }
            if let Some(refuses) = refuses {
                warehouse.options.refuses_to_start = refuses;
            }
            match state {
                Some("RUNNING") => warehouse.state = Power::Running,
                Some(_) => warehouse.state = Power::Stopped,
                None => {}
            }
        });
        self.changed.send_modify(|count| *count += 1);
        known.is_some()
    }

    fn with<T>(&self, id: &str, act: impl FnOnce(&mut Warehouse) -> T) -> Option<T> {
        lock(&self.all).iter_mut().find(|warehouse| warehouse.options.id == id).map(act)
    }
}

impl Warehouse {
    /// None when it runs, else when it will.
    fn start(&mut self) -> Option<Instant> {
        let until = match self.state {
            Power::Running => return None,
            Power::Starting(until) => until,
            Power::Stopped => Instant::now() + self.options.start_delay,
        };
        self.state = if Instant::now() >= until { Power::Running } else { Power::Starting(until) };
        (!matches!(self.state, Power::Running)).then_some(until)
    }

    fn shown(&mut self) -> Value {
        if let Power::Starting(until) = self.state
            && Instant::now() >= until
        {
            self.state = Power::Running;
        }
        let (state, health) = match self.state {
            Power::Running => ("RUNNING", Some("HEALTHY")),
            Power::Starting(_) => ("STARTING", None),
            Power::Stopped if self.options.refuses_to_start => ("STOPPED", Some("FAILED")),
            Power::Stopped => ("STOPPED", None),
        };
        let mut shown = json!({
            "id": self.options.id,
            "name": self.options.name,
            "state": state,
            "cluster_size": "2X-Small",
            "min_num_clusters": 1,
            "max_num_clusters": 1,
            "auto_stop_mins": 10,
            "num_clusters": i32::from(state == "RUNNING"),
            "enable_serverless_compute": true,
            "warehouse_type": "PRO",
        });
        if let Some(health) = health {
            shown["health"] = json!({"status": health});
        }
        shown
    }
}

/// `page_size` 0 or absent is the server's own size, below 0 an error; `page_token` is opaque (SDK, WarehousesAPI.list).
pub(super) async fn list(State(workspace): State<Shared>, Query(query): Query<Asked>) -> Reply {
    let all: Vec<Value> = lock(&workspace.warehouses.all).iter_mut().map(Warehouse::shown).collect();
    let size = match query.page_size {
        None | Some(0) => all.len(),
        Some(size) => usize::try_from(size).map_err(|_| invalid("page_size must not be below 0."))?,
    };
    let from = match &query.page_token {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("page_token is not valid."))?,
    };
    let shown: Vec<&Value> = all.iter().skip(from).take(size).collect();
    let mut body = json!({"warehouses": shown});
    if from + shown.len() < all.len() {
        body["next_page_token"] = (from + shown.len()).to_string().into();
    }
    Ok(ok(&body))
}

#[derive(Deserialize)]
pub(super) struct Asked {
    page_size: Option<i64>,
    page_token: Option<String>,
}

pub(super) async fn get(State(workspace): State<Shared>, Path(id): Path<String>) -> Reply {
    workspace.rights().allow_warehouse(&id)?;
    workspace.warehouses.with(&id, Warehouse::shown).map(|shown| ok(&shown)).ok_or_else(|| missing(&id))
}

pub(super) async fn start(State(workspace): State<Shared>, Path(id): Path<String>) -> Reply {
    let started = workspace.warehouses.with(&id, |warehouse| {
        if !warehouse.options.refuses_to_start {
            warehouse.start();
        }
    });
    started.map(|()| ok(&json!({}))).ok_or_else(|| missing(&id))
}

pub(super) async fn stop(State(workspace): State<Shared>, Path(id): Path<String>) -> Reply {
    if workspace.warehouses.set(&id, Some("STOPPED"), None, None) { Ok(ok(&json!({}))) } else { Err(missing(&id)) }
}

fn missing(id: &str) -> Response<Body> {
    error(404, "RESOURCE_DOES_NOT_EXIST", &format!("SQL warehouse {id} does not exist."))
}
