//! What is pushed and how far it has come: what a run keeps on record of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::databricks::{Disposition, Parameter};
use crate::failure::{Code, Failure};

/// What is to be pushed, as a run's parameters have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    pub workspace: String,
    pub dataset: String,
    pub table: String,
    pub source: Source,
    /// Rows that are in the table already are deleted before.
    #[serde(default)]
    pub clear: bool,
}

/// Where the rows are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Here, and not looked at yet.
    Given(Vec<Map<String, Value>>),
    /// Here: one batch, checked; a JSON array as text, which keeps every digit.
    Rows { text: String, count: u64 },
    /// In the ledger, checked; the rows of each batch.
    Spool { spool: String, batches: Vec<u64> },
    /// In a statement's result.
    Query(Query),
}

/// A statement that surely reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    pub statement: String,
    pub parameters: Vec<Parameter>,
    pub warehouse_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte_limit: Option<u64>,
    pub disposition: Disposition,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Phase {
    /// Rows that were given are held against the table.
    Check,
    /// The statement is submitted,
    Submit,
    /// comes to its end,
    Wait,
    /// and its rows are checked and kept in the ledger.
    Read,
    Clear,
    Push,
}

/// Sequence numbers, while the table is ours to number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Numbers {
    /// Of the batch that is next.
    pub next: i64,
    pub held_until: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inputs {
    pub push: Push,
    pub run_id: String,
    pub phase: Phase,
    /// `spool/{spool}/{n}` holds the batches that are not in `push`.
    pub spool: String,
    /// The rows of each.
    pub batches: Vec<u64>,
    /// Which of them is next.
    pub next: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_id: Option<String>,
    /// The service was asked for its sequence numbers.
    #[serde(default)]
    pub numbers_asked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// The moment under which the dataset's limits have the batch that is next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<i64>,
    /// How often all of it began again from the delete.
    #[serde(default)]
    pub restarts: u32,
}

impl Inputs {
    pub(super) fn new(push: Push, run_id: &str, spool: String) -> Self {
        let ready = if push.clear { Phase::Clear } else { Phase::Push };
        let (phase, spool, batches) = match &push.source {
            Source::Given(_) => (Phase::Check, spool, Vec::new()),
            Source::Rows { count, .. } => (ready, spool, vec![*count]),
            Source::Spool { spool, batches } => (ready, spool.clone(), batches.clone()),
            Source::Query(_) => (Phase::Submit, spool, Vec::new()),
        };
        Self {
            push,
            run_id: run_id.to_owned(),
            phase,
            spool,
            batches,
            next: 0,
            statement_id: None,
            numbers_asked: false,
            numbers: None,
            taken_at: None,
            restarts: 0,
        }
    }

    /// All rows are checked and kept: what comes then.
    pub(super) fn all_kept(&mut self) {
        self.phase = if self.push.clear { Phase::Clear } else { Phase::Push };
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Push && self.next >= self.batches.len()
    }

    pub(super) fn rows(&self) -> u64 {
        self.batches.iter().sum()
    }

    pub(super) fn pushed(&self) -> u64 {
        self.batches.iter().take(self.next).sum()
    }

    pub(super) fn of_next(&self) -> u64 {
        self.batches.get(self.next).copied().unwrap_or_default()
    }

    pub(super) fn output(&self) -> Value {
        json!({"rowsPushed": self.pushed(), "batches": self.next})
    }

    pub(super) fn progress(&self) -> Value {
        match self.phase {
            Phase::Check | Phase::Submit | Phase::Wait | Phase::Read => {
                json!({"rowsPushed": 0, "batches": 0, "rowsRead": self.rows()})
            }
            Phase::Clear | Phase::Push => json!({
                "rowsPushed": self.pushed(), "batches": self.next,
                "ofRows": self.rows(), "ofBatches": self.batches.len(),
            }),
        }
    }

    /// Nobody knows whether the batch that is next has come.
    pub(super) fn in_doubt(&self) -> Failure {
        let (pushed, rows) = (self.pushed(), self.rows());
        let (first, last) = (pushed + 1, pushed + self.of_next());
        let detail = format!(
            "Rows {first} to {last} of {rows} may or may not be in the table, since Power BI's answer was lost; the {pushed} \
             before them are, and none after them. Look at the table, then push what is missing."
        );
        Failure::new(Code::OutcomeUnknown, detail).effect_possible().at(format!("rows {first} to {last}"))
    }

    /// A failure with how far it came: what is pushed stays pushed.
    pub(super) fn cut_short(&self, failure: Failure) -> Failure {
        let (pushed, rows) = (self.pushed(), self.rows());
        if pushed == 0 {
            return failure;
        }
        let cause = failure.chain();
        let detail = format!("{} The first {pushed} of {rows} rows are in the table.", failure.detail);
        Failure { detail, ..failure }.caused_by(cause)
    }
}
