//! What is there: workspaces, datasets, tables, and the limits with their counters. No wire format lives here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::Clock;
use super::refresh::{FailedRefresh, Refresh};

/// A workspace (group).
#[derive(Clone, Debug)]
pub struct Workspace {
    pub id: String,
    pub name: String,
    /// Premium, PPU or Fabric; shared capacity when absent.
    pub capacity: Option<String>,
    /// Whether our identity is a member.
    pub member: bool,
    pub datasets: Vec<Dataset>,
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
    pub(super) refreshes: Vec<Refresh>,
    pub(super) failures: VecDeque<FailedRefresh>,
    pub(super) pushes: VecDeque<(Instant, usize)>,
    pub(super) pending: usize,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: VecDeque<Map<String, Value>>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
}

/// The types of push datasets ("Push semantic model properties", Power BI developer docs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    Int64,
    Double,
    Boolean,
    DateTime,
    String,
    Decimal,
}

/// "Push semantic model limitations" and "Real-time streaming in Power BI", Power BI docs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub rows_per_post: usize,
    pub bytes_per_post: usize,
    pub rows_per_hour: usize,
    pub posts_per_minute: usize,
    pub pending_posts: usize,
    /// From this many rows in a table on …
    pub large_table: usize,
    /// … a dataset takes only this many posts an hour.
    pub large_table_posts_per_hour: usize,
    /// Rows of a table without retention policy.
    pub rows_per_table: usize,
    /// Refreshes in 24 hours on shared capacity.
    pub shared_refreshes_per_day: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows_per_post: 10_000,
            bytes_per_post: 16 * 1024 * 1024,
            rows_per_hour: 1_000_000,
            posts_per_minute: 120,
            pending_posts: 5,
            large_table: 250_000,
            large_table_posts_per_hour: 120,
            rows_per_table: 5_000_000,
            shared_refreshes_per_day: 8,
        }
    }
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) workspaces: Vec<Workspace>,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    /// How far the clock of the limits is ahead of the real one.
    pub(super) ahead: Duration,
    pub(super) push_time: Duration,
    /// The number of the next refresh in the history.
    pub(super) next_id: u64,
}

impl Model {
    pub(super) fn new(workspaces: Vec<Workspace>, clock: Clock, limits: Limits) -> Self {
        Self { workspaces, clock, limits, ahead: Duration::ZERO, push_time: Duration::ZERO, next_id: 1_000 }
    }

    /// The moment for limits.
    pub(super) fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }

    pub(super) fn dataset_by_id(&mut self, id: &str) -> Option<&mut Dataset> {
        let all = self.workspaces.iter_mut().flat_map(|workspace| &mut workspace.datasets);
        all.into_iter().find(|dataset| dataset.id.eq_ignore_ascii_case(id))
    }
}

impl Workspace {
    pub fn new(id: &str, name: &str, capacity: Option<&str>, datasets: Vec<Dataset>) -> Self {
        Self { id: id.into(), name: name.into(), capacity: capacity.map(Into::into), member: true, datasets }
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
            refreshes: Vec::new(),
            failures: VecDeque::new(),
            pushes: VecDeque::new(),
            pending: 0,
        }
    }

    pub(super) fn table(&mut self, name: &str) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.name == name)
    }
}

impl Table {
    pub fn new(name: &str, columns: &[(&str, DataType)]) -> Self {
        let column = |(name, data_type): &(&str, DataType)| Column { name: (*name).into(), data_type: *data_type };
        Self { name: name.into(), columns: columns.iter().map(column).collect(), rows: VecDeque::new() }
    }
}

impl DataType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Int64 => "Int64",
            Self::Double => "Double",
            Self::Boolean => "Boolean",
            Self::DateTime => "DateTime",
            Self::String => "String",
            Self::Decimal => "Decimal",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Int64, Self::Double, Self::Boolean, Self::DateTime, Self::String, Self::Decimal];
        // The older `bool` is still taken.
        let name = if name.eq_ignore_ascii_case("bool") { "Boolean" } else { name };
        all.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Why this value is not taken, loosely: the service converts text to numbers and dates where it can.
    pub(super) fn refuses(self, value: &Value) -> Option<&'static str> {
        let number = |text: &str| text.trim().parse::<f64>().is_ok_and(f64::is_finite);
        let good = match (self, value) {
            (Self::String, Value::String(text)) if text.encode_utf16().count() > 4000 => {
                return Some("has more than 4,000 characters");
            }
            (Self::String, value) => !value.is_object() && !value.is_array(),
            // "MinValue and MaxValue are not allowed."
            (Self::Int64, Value::Number(number)) => {
                number.as_i64().is_some_and(|number| number != i64::MIN && number != i64::MAX)
            }
            (Self::Int64, Value::String(text)) => text.trim().parse::<i64>().is_ok(),
            (_, Value::Null) | (Self::Double | Self::Decimal, Value::Number(_)) | (Self::Boolean, Value::Bool(_)) => {
                true
            }
            (Self::Double | Self::Decimal, Value::String(text)) => number(text),
            (Self::Boolean, Value::String(text)) => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            (Self::DateTime, Value::String(text)) => is_date_time(text),
            _ => false,
        };
        (!good).then_some("cannot be converted to the column's type")
    }
}

fn is_date_time(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
        || text.parse::<jiff::civil::DateTime>().is_ok()
        || text.parse::<jiff::civil::Date>().is_ok()
}
