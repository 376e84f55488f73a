//! What tests say to a stand-in of their own process: clocks, limits, failures to come, and what it holds. The same can
//! be said over HTTP (`control.rs`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    Callers, CannedQuery, Clock, Dataset, FailedExport, FailedRefresh, Limits, Overlap, PowerBi, Service, refreshing,
};

/// How the rows of a table compare with those that should be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// All rows.
    pub rows: usize,
    /// What should be there and is not.
    pub lost: Vec<i64>,
    /// What is there more than once, with how often.
    pub doubled: BTreeMap<i64, usize>,
    /// Rows whose value should not be there, or that have none.
    pub unexpected: usize,
}

impl Tally {
    /// Every row once, and no other.
    pub fn is_exact(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.unexpected == 0
    }
}

impl PowerBi {
    /// Moves every refresh and export that has not ended one state on: not started, in progress, ended.
    pub fn step(&self) {
        refreshing::step_all(&self.service);
    }

    /// From now on; refreshes that run keep the clock they began with.
    pub fn set_clock(&self, clock: Clock) {
        self.service.model().clock = clock;
    }

    /// The next refresh of this dataset fails so, or the next attempt of one with `retryCount`; several wait in line.
    pub fn fail_next_refresh(&self, dataset: &str, failure: FailedRefresh) {
        if let Some(dataset) = self.service.model().dataset_by_id(dataset) {
            dataset.failures.push_back(failure);
        }
    }

    /// What becomes of a refresh that is asked for while another runs.
    pub fn set_overlap(&self, overlap: Overlap) {
        self.service.model().overlap = overlap;
    }

    /// Puts a refresh that somebody else began into the history, as a schedule or the portal does; its request id.
    pub fn start_foreign_refresh(&self, dataset: &str, refresh_type: &str) -> Option<String> {
        refreshing::begin_foreign(&self.service, dataset, refresh_type)
    }

    /// Puts a dataset into a workspace, as somebody who publishes one does.
    pub fn publish(&self, workspace: &str, dataset: Dataset) {
        let mut model = self.service.model();
        let found = model.workspaces.iter_mut().find(|known| known.id.eq_ignore_ascii_case(workspace));
        if let Some(workspace) = found {
            workspace.datasets.push(dataset);
        }
    }

    /// The rows of a table.
    pub fn rows(&self, dataset: &str, table: &str) -> Vec<Map<String, Value>> {
        let mut model = self.service.model();
        let table = model.dataset_by_id(dataset).and_then(|dataset| dataset.table(table));
        table.map(|table| table.read().collect()).unwrap_or_default()
    }

    /// How many rows a table has.
    pub fn row_count(&self, dataset: &str, table: &str) -> usize {
        let mut model = self.service.model();
        let table = model.dataset_by_id(dataset).and_then(|dataset| dataset.table(table));
        table.map_or(0, |table| table.rows.len())
    }

    /// Which rows were lost or doubled, when the column should hold each of `expected` once.
    pub fn tally(&self, dataset: &str, table: &str, column: &str, expected: Range<i64>) -> Tally {
        tally(&self.service, dataset, table, column, expected)
    }

    /// Gives a table these rows instead of what it has, as a refresh of an import model does.
    pub fn set_rows(&self, dataset: &str, table: &str, rows: &[Value]) {
        let mut model = self.service.model();
        if let Some(table) = model.dataset_by_id(dataset).and_then(|dataset| dataset.table(table)) {
            table.rows = rows.iter().map(|row| Bytes::from(row.to_string())).collect();
        }
    }

    /// Answers queries of DAX that contain a text; the last that fits counts.
    pub fn answer_query(&self, canned: CannedQuery) {
        self.service.model().canned.push(canned);
    }

    /// The next export fails so; several wait in line.
    pub fn fail_next_export(&self, failure: FailedExport) {
        self.service.model().failed_exports.push_back(failure);
    }

    /// What every export makes from now on, whatever its format.
    pub fn set_export_file(&self, file: impl Into<Bytes>) {
        self.service.model().export_file = Some(file.into());
    }

    /// The next refresh of this dataflow fails.
    pub fn fail_next_dataflow_refresh(&self, dataflow: &str) {
        let mut model = self.service.model();
        let mut all = model.workspaces.iter_mut().flat_map(|workspace| &mut workspace.dataflows);
        if let Some(dataflow) = all.find(|known| known.id.eq_ignore_ascii_case(dataflow)) {
            dataflow.fails_next = true;
        }
    }

    /// Whether a dataset is ours, so that its parameters and schedule can be changed.
    pub fn set_owned(&self, dataset: &str, owned: bool) {
        if let Some(dataset) = self.service.model().dataset_by_id(dataset) {
            dataset.owned = owned;
        }
    }

    /// Whether a model has row-level security, which applications cannot query.
    pub fn set_row_level_security(&self, dataset: &str, on: bool) {
        if let Some(dataset) = self.service.model().dataset_by_id(dataset) {
            dataset.row_level_security = on;
        }
    }

    /// Moves the clock of the limits (per minute, per hour, per day) on.
    pub fn advance(&self, time: Duration) {
        self.service.model().time.advance(time);
    }

    /// How many times faster than the real one the clock of the limits runs from now on: with 60 an hour's window is
    /// over in a minute. `Retry-After` is told in real seconds, rounded up.
    pub fn set_time_scale(&self, scale: f64) {
        self.service.model().time.set_scale(scale);
    }

    pub fn set_limits(&self, limits: Limits) {
        self.service.model().limits = limits;
    }

    /// How long a push takes, so that pushes can be pending at once; none by default.
    pub fn set_push_time(&self, time: Duration) {
        self.service.model().push_time = time;
    }

    /// Whether pushes can be numbered; without, their header is ignored and their list is not there.
    pub fn set_sequence_numbers(&self, on: bool) {
        self.service.model().sequence_numbers = on;
    }

    /// Whether lists of tables name the columns, as the contract says, or only the tables, as its example does.
    pub fn set_tables_show_columns(&self, on: bool) {
        self.service.model().tables_show_columns = on;
    }

    /// Whom tokens are taken for from now on.
    pub fn set_callers(&self, callers: Callers) {
        self.service.model().callers = callers;
    }
}

pub(super) fn tally(service: &Service, dataset: &str, table: &str, column: &str, expected: Range<i64>) -> Tally {
    let rows: Vec<Bytes> = {
        let mut model = service.model();
        let table = model.dataset_by_id(dataset).and_then(|dataset| dataset.table(table));
        // They are slices: a million of them are cloned in no time, and counted without the lock.
        table.map(|table| table.rows.iter().cloned().collect()).unwrap_or_default()
    };
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    let mut tally = Tally { rows: rows.len(), ..Tally::default() };
    for row in &rows {
        let row: Map<String, Value> = serde_json::from_slice(row).unwrap_or_default();
        match row.get(column).and_then(Value::as_i64).filter(|value| expected.contains(value)) {
            Some(value) => *seen.entry(value).or_default() += 1,
            None => tally.unexpected += 1,
        }
    }
    tally.lost = expected.filter(|value| !seen.contains_key(value)).collect();
    seen.retain(|_, times| *times > 1);
    tally.doubled = seen;
    tally
}
