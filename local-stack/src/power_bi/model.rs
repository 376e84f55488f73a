//! What is there: workspaces and what is in them. No wire format lives here; the limits are `limits.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::dataflows::Transaction;
use super::export::Export;
use super::limits::{Limits, Pushes};
use super::refresh::{FailedRefresh, Refresh};
use super::schedule::Schedule;
use super::time::LimitClock;
use super::{Callers, CannedQuery, Clock, DataType, FailedExport, Overlap, PowerBiOptions};

/// A workspace (group).
#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    /// Premium, PPU or Fabric; shared capacity when absent.
    pub capacity: Option<String>,
    /// Whether our identity is a member.
    pub member: bool,
    /// My Workspace: in no list, and reached by paths that name no group.
    pub personal: bool,
    pub datasets: Vec<Dataset>,
    pub reports: Vec<Report>,
    pub dashboards: Vec<Dashboard>,
    pub dataflows: Vec<Dataflow>,
}

/// A dataset (semantic model).
#[derive(Clone, Debug)]
pub struct Dataset {
    pub id: String,
    pub name: String,
    /// A push dataset takes rows and no refresh; an import model the other way round.
    pub push: bool,
    /// Keeps only the newest 200,000 rows of a table (`basicFIFO`).
    pub first_in_first_out: bool,
    pub tables: Vec<Table>,
    /// Whether our identity is its owner, who alone may change its parameters and schedule.
    pub owned: bool,
    /// Applications cannot query such a model.
    pub row_level_security: bool,
    pub parameters: Vec<Parameter>,
    pub(super) schedule: Schedule,
    pub(super) refreshes: Vec<Refresh>,
    pub(super) failures: VecDeque<FailedRefresh>,
    pub(super) pushes: Pushes,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// Each as the JSON text that it came as: a million of them must fit beside everything else.
    pub(super) rows: VecDeque<Bytes>,
    /// The last sequence number that was accepted of each client.
    pub(super) sequence_numbers: BTreeMap<String, i64>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
}

/// A report; a paginated one has no dataset here.
#[derive(Clone, Debug)]
pub struct Report {
    pub id: String,
    pub name: String,
    pub dataset: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Dashboard {
    pub id: String,
    pub name: String,
}

/// A parameter of the queries behind a dataset.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    /// `Text`, `Number`, `DateTime`, `Logical`, `Any`, …
    pub kind: String,
    pub value: String,
    pub required: bool,
}

#[derive(Clone, Debug)]
pub struct Dataflow {
    pub id: String,
    pub name: String,
    pub(super) transactions: Vec<Transaction>,
    pub(super) fails_next: bool,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) workspaces: Vec<Workspace>,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) time: LimitClock,
    pub(super) callers: Callers,
    pub(super) overlap: Overlap,
    pub(super) push_time: Duration,
    pub(super) sequence_numbers: bool,
    pub(super) tables_show_columns: bool,
    /// Replies to queries; the last that fits counts.
    pub(super) canned: Vec<CannedQuery>,
    /// When each client asked queries, in the last minute.
    pub(super) queries: BTreeMap<String, VecDeque<Instant>>,
    pub(super) exports: Vec<Export>,
    pub(super) failed_exports: VecDeque<FailedExport>,
    /// What every export makes, instead of a sample of its format.
    pub(super) export_file: Option<Bytes>,
    /// The number of the next refresh in the history.
    pub(super) next_id: u64,
}

impl Model {
    pub(super) fn new(options: PowerBiOptions) -> Self {
        Self {
            workspaces: options.workspaces,
            clock: options.clock,
            limits: options.limits,
            time: LimitClock::new(options.time_scale),
            callers: options.callers,
            overlap: Overlap::default(),
            push_time: Duration::ZERO,
            sequence_numbers: options.sequence_numbers,
            tables_show_columns: true,
            canned: Vec::new(),
            queries: BTreeMap::new(),
            exports: Vec::new(),
            failed_exports: VecDeque::new(),
            export_file: None,
            next_id: 1_000,
        }
    }

    /// The moment for limits.
    pub(super) fn now(&self) -> Instant {
        self.time.now()
    }

    pub(super) fn dataset_by_id(&mut self, id: &str) -> Option<&mut Dataset> {
        let all = self.workspaces.iter_mut().flat_map(|workspace| &mut workspace.datasets);
        all.into_iter().find(|dataset| dataset.id.eq_ignore_ascii_case(id))
    }
}

impl Workspace {
    pub fn new(id: &str, name: &str, capacity: Option<&str>, datasets: Vec<Dataset>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            capacity: capacity.map(Into::into),
            member: true,
            personal: false,
            datasets,
            reports: Vec::new(),
            dashboards: Vec::new(),
            dataflows: Vec::new(),
        }
    }
}

impl Dataflow {
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.into(), name: name.into(), transactions: Vec::new(), fails_next: false }
    }
}

impl Dataset {
    pub fn new(id: &str, name: &str, push: bool, tables: Vec<Table>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            push,
            first_in_first_out: false,
            tables,
            owned: true,
            row_level_security: false,
            parameters: Vec::new(),
            schedule: Schedule::default(),
            refreshes: Vec::new(),
            failures: VecDeque::new(),
            pushes: Pushes::default(),
        }
    }

    pub(super) fn table(&mut self, name: &str) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.name == name)
    }
}

impl Table {
    pub fn new(name: &str, columns: &[(&str, DataType)]) -> Self {
        let column = |(name, data_type): &(&str, DataType)| Column { name: (*name).into(), data_type: *data_type };
        Self {
            name: name.into(),
            columns: columns.iter().map(column).collect(),
            rows: VecDeque::new(),
            sequence_numbers: BTreeMap::new(),
        }
    }

    /// The rows, read; what is in no column of today is left out.
    pub(super) fn read(&self) -> impl Iterator<Item = Map<String, Value>> {
        self.rows.iter().map(|row| {
            let mut row: Map<String, Value> = serde_json::from_slice(row).unwrap_or_default();
            row.retain(|name, _| self.columns.iter().any(|column| column.name == *name));
            row
        })
    }
}
