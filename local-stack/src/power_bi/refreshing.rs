//! What begins refreshes and moves them: time, or a test by hand. One of a dataset runs at a time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Dataset, Model};
use super::refresh::{Enhanced, FailedRefresh, Refresh, RefreshState};
use super::reply::new_id;
use super::{Clock, Service};

/// What a refresh is begun with.
#[derive(Default)]
pub(super) struct Wanted {
    /// `ViaApi`, `Scheduled`, …
    pub(super) kind: String,
    pub(super) enhanced: Option<Enhanced>,
    pub(super) doomed: Option<FailedRefresh>,
    /// Behind the one that runs.
    pub(super) queued: bool,
}

/// Adds a refresh to the dataset and lets the clock move it; its request id.
pub(super) fn begin(service: &Arc<Service>, model: &mut Model, dataset: &str, wanted: Wanted) -> Option<String> {
    let (accepted, clock, id) = (model.now(), model.clock, model.next_id);
    // An attempt that lasts longer on the clock of the limits than it may.
    let timeout = wanted.enhanced.as_ref().and_then(|enhanced| enhanced.timeout);
    let too_long = match (clock, timeout) {
        (Clock::Auto(time), Some(timeout)) => model.time.here_of(time) > timeout,
        _ => false,
    };
    let dataset = model.dataset_by_id(dataset)?;
    let request_id = new_id();
    let mut refresh = Refresh {
        request_id: request_id.clone(),
        id,
        kind: wanted.kind,
        state: RefreshState::NotStarted,
        start: Timestamp::now(),
        end: None,
        accepted,
        enhanced: wanted.enhanced,
        doomed: wanted.doomed.or_else(|| too_long.then(FailedRefresh::timed_out)),
        attempts: Vec::new(),
        queued: wanted.queued,
    };
    refresh.begin_attempt(&mut dataset.failures);
    dataset.refreshes.push(refresh);
    model.next_id += 1;
    if !wanted.queued {
        run(service, clock, request_id.clone());
    }
    Some(request_id)
}

pub(super) fn begin_foreign(service: &Arc<Service>, dataset: &str, refresh_type: &str) -> Option<String> {
    let mut model = service.model();
    begin(service, &mut model, dataset, Wanted { kind: refresh_type.into(), ..Wanted::default() })
}

fn run(service: &Arc<Service>, clock: Clock, request_id: String) {
    if let Clock::Auto(time) = clock {
        tokio::spawn(run_on(Arc::downgrade(service), request_id, time));
    }
}

/// Lives no longer than the stand-in: it holds the service weakly and sleeps without it.
async fn run_on(service: Weak<Service>, request_id: String, time: Duration) {
    let mut share = time / 4;
    loop {
        tokio::time::sleep(share).await;
        let Some(service) = service.upgrade() else { return };
        if step(&service, |refresh| refresh.request_id == request_id) == 0 {
            return;
        }
        share = time.saturating_sub(time / 4);
    }
}

/// Refreshes, exports and refreshes of dataflows.
pub(super) fn step_all(service: &Arc<Service>) {
    step(service, |_| true);
    let mut model = service.model();
    model.exports.iter_mut().for_each(|export| export.progress.step());
    let dataflows = model.workspaces.iter_mut().flat_map(|workspace| &mut workspace.dataflows);
    dataflows.flat_map(|dataflow| &mut dataflow.transactions).for_each(|transaction| transaction.progress.step());
}

/// Moves those refreshes; how many of them go on.
fn step(service: &Arc<Service>, which: impl Fn(&Refresh) -> bool) -> usize {
    let (mut ended, mut going) = (Vec::new(), 0);
    {
        let mut model = service.model();
        let clock = model.clock;
        for workspace in &mut model.workspaces {
            for dataset in &mut workspace.datasets {
                let Dataset { refreshes, failures, id, .. } = dataset;
                let before = ended.len();
                for refresh in refreshes.iter_mut().filter(|refresh| which(refresh) && !refresh.state.ended()) {
                    if refresh.step(failures) {
                        ended.push(about(&workspace.id, id, refresh));
                    } else {
                        going += 1;
                    }
                }
                if ended.len() > before {
                    next(service, clock, dataset);
                }
            }
        }
    }
    for detail in ended {
        service.history.record("powerBi", "refreshEnded", detail);
    }
    going
}

/// Lets the refresh that waited begin, now that another has ended.
pub(super) fn next(service: &Arc<Service>, clock: Clock, dataset: &mut Dataset) {
    if let Some(waiting) = dataset.refreshes.iter_mut().find(|refresh| refresh.queued && !refresh.state.ended()) {
        waiting.queued = false;
        run(service, clock, waiting.request_id.clone());
    }
}

fn about(workspace: &str, dataset: &str, refresh: &Refresh) -> Value {
    json!({
        "workspace": workspace, "dataset": dataset, "requestId": refresh.request_id,
        "status": refresh.state.extended(),
    })
}
